import Glibc
import Logging
import MainstayTesting
import RPCCore
import Synchronization
import Testing

@testable import RPCTransport

@Suite("Certificates that change while a server runs", .timeLimit(.minutes(10)))
struct CertificateReloadTests {
  @Test("New connections get the new certificate, and calls that run go on on the old one", arguments: [true, false])
  func reload(_ byWatch: Bool) async throws {
    try await withServer(interval: byWatch ? .milliseconds(5) : .seconds(3_600)) { scene async throws in
      let old = try scene.channel()
      async let running = old.unary(Probe.block, framed: framed(""), .init())
      #expect(await scene.probe.notes.next() == "started")
      // The new certificate is good for another name only.
      _ = try scene.identities.ours.issue("ours-server", role: "service", hosts: ["renewed.example"])
      if !byWatch { scene.server.reloadCertificates() }
      while await scene.told.next() != "read" {}
      _ = try await scene.channel(serverName: "renewed.example").unary(Probe.echo, framed: framed("new"), .init())
      let refused = await status {
        _ = try await scene.channel().unary(Probe.echo, framed: framed("old name"), .init())
      }
      #expect(refused?.message.contains("mismatch") == true)
      scene.probe.release.note("")
      let reply = try await running.message
      #expect(text(reply) == "released")
      let again = try await old.unary(Probe.echo, framed: framed("same connection"), .init()).message
      #expect(text(again) == "same connection")
    }
  }

  @Test("Files that cannot be used change nothing, and are named; good ones that follow are taken")
  func brokenFiles() async throws {
    try await withServer(interval: .milliseconds(5)) { scene async throws in
      try scene.identities.ours.folder.write("ours-server.pem", "no certificate")
      #expect(await scene.told.next().contains("holds no certificate"))
      _ = try await scene.channel().unary(Probe.echo, framed: framed("still"), .init())
      _ = try scene.identities.ours.issue("ours-server", role: "service", hosts: ["renewed.example"])
      while await scene.told.next() != "read" {}
      _ = try await scene.channel(serverName: "renewed.example").unary(Probe.echo, framed: framed("new"), .init())
    }
  }

  private struct Scene: Sendable {
    let server: Server
    let probe: Probe
    let identities: TestIdentities
    let loop: EventLoop
    /// What the server tells of its certificates.
    let told: Notes

    /// A channel of its own connection.
    func channel(serverName: String? = nil) throws -> ClientChannel {
      let context = try TLSContext(identities.client(), role: .client)
      return ClientChannel(host: "127.0.0.1", port: server.port, tls: context, loop: loop, serverName: serverName)
    }
  }

  private func withServer(
    interval: Duration, _ body: @escaping @Sendable (Scene) async throws -> Void
  ) async throws {
    let probe = Probe(loops: try EventLoopGroup(count: 1))
    defer { probe.loops.stop() }
    let loop = try EventLoop()
    defer { loop.stop() }
    let identities = try TestIdentities()
    let told = Notes()
    var configuration = Server.Configuration(host: "127.0.0.1", port: 0, tls: try identities.server())
    configuration.certificateInterval = interval
    configuration.onCertificates = { told.note($0?.description ?? "read") }
    let server = try await Server(
      configuration, acceptor: GRPCAcceptor(router: probe.router, logger: Logger(label: "test")), group: probe.loops)
    let scene = Scene(server: server, probe: probe, identities: identities, loop: loop, told: told)
    try await loop.run { try await body(scene) }
    await server.shutdown(grace: .zero)
  }
}
