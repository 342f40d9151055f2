import API
import Core
import Foundation
import Logging
import MainstayTesting
import RPCCore
import RPCTransport
import ServiceRuntime
import Testing

/// With the real program of the gateway, before a service of the test's.
@Suite(
  "The certificate that the gateway shows to services", .timeLimit(.minutes(10)),
  .enabled(if: Program.exists("mainstay-gateway"), "the programs are not built: make release"))
struct UpstreamCertificateTests {
  @Test("A renewed one is shown on the next connection, on SIGHUP and without")
  func renewed() async throws {
    let authority = try TestAuthority()
    let (servicePort, port) = (try freePort(), try freePort())
    // A service believes what a certificate of this name says about the caller, and of no other name.
    try rename("stranger", "door", authority)
    let configuration = try authority.folder.write(
      "gateway.yaml",
      """
      listen: 127.0.0.1:\(port)
      tls: {certificate: door.pem, private_key: door-key.pem, authority: ca.pem}
      upstreams: {customer: "127.0.0.1:\(servicePort)"}
      """)
    let gateway = try Program.Running("mainstay-gateway", ["--config", configuration])
    defer { gateway.signal(SIGKILL) }
    let context = try TLSContext(try authority.issue("manager", role: "administrator", hosts: []), role: .client)
    let group = try EventLoopGroup(count: 1)
    defer { group.stop() }
    let channel = try await group.first.run {
      ClientChannel(host: "127.0.0.1", port: port, tls: context, loop: group.first)
    }
    /// Who the service says is calling, over a connection that the gateway makes anew.
    func actor() async throws -> String {
      let (notes, noting) = AsyncStream<String>.makeStream()
      let router = try InfrastructureServices.router(
        WhoAmI(loops: group, notes: noting).methodBindings, health: .serving([]), access: .checked)
      let service = try await Server(
        .init(host: "127.0.0.1", port: servicePort, tls: authority.issue("customer", role: "service")),
        acceptor: GRPCAcceptor(router: router, logger: Logger(label: "test")), group: group)
      let answer = try await group.first.run {
        var options = CallOptions(waitForReady: true)
        options.metadata.add("mainstay-service", "customer")
        var actor: String?
        // The gateway may not have noticed yet that the service is back.
        _ = await eventually {
          let replies = try? await EventServiceClient(channel: channel).subscribe(SubscribeRequest(), options: options)
          do { actor = try await replies?.next()?.events.first?.actor } catch {
            actor = RPCError(converting: error).code == .unavailable ? nil : "refused"
          }
          return actor != nil
        }
        return actor ?? "no answer"
      }
      await service.shutdown(grace: .zero)
      withExtendedLifetime(notes) {}
      return answer
    }
    #expect(try await actor() == "stranger service -")
    try rename("gateway", "door", authority)
    gateway.signal(SIGHUP)
    #expect(try await eventually { try await actor() == "manager administrator gateway" })
    try rename("stranger", "door", authority)
    #expect(try await eventually { try await actor() == "stranger service -" })
    try await group.first.run { channel.close() }
  }

  /// A certificate of this name in files of that one.
  private func rename(_ name: String, _ file: String, _ authority: TestAuthority) throws {
    _ = try authority.issue(name, role: "service")
    for end in [".pem", "-key.pem"] {
      let path = authority.folder.file(file + end)
      try? FileManager.default.removeItem(atPath: path)
      try FileManager.default.moveItem(atPath: authority.folder.file(name + end), toPath: path)
    }
  }
}
