import API
import Foundation
import MainstayTesting
import RPCCore
import RPCTransport
import Testing

/// With the real program of a service.
@Suite(
  "Certificates that are renewed under a running service", .timeLimit(.minutes(10)),
  .enabled(if: Program.exists("mainstay-partner"), "the programs are not built: make release"))
struct CertificateRenewalTests {
  /// Files of one length, so that only SIGHUP can tell of a new one whose time is the old one's.
  private static let fileBytes = 4_096

  @Test("New connections get the new certificate, and a call that runs is not dropped", arguments: [true, false])
  func renewed(_ bySignal: Bool) async throws {
    let authority = try TestAuthority()
    let (old, port) = (try authority.issue("partner", role: "service"), try freePort())
    let files = [try #require(old.certificateChainPath), try #require(old.privateKeyPath)]
    for file in files { try pad(file) }
    let configuration = try authority.folder.write(
      "partner.yaml",
      """
      listen: 127.0.0.1:\(port)
      database: sqlite:partner.db
      tls: {certificate: partner.pem, private_key: partner-key.pem, authority: ca.pem}
      """)
    let service = try Program.Running("mainstay-partner", ["--config", configuration])
    defer { service.signal(SIGKILL) }
    let context = try TLSContext(try authority.issue("watcher", role: "service", hosts: []), role: .client)
    let loop = try EventLoop()
    defer { loop.stop() }
    let folder = authority.folder
    try await loop.run {
      let client = HealthClient(channel: ClientChannel(host: "127.0.0.1", port: port, tls: context, loop: loop))
      let states = try await client.watch(HealthCheckRequest(), options: CallOptions(waitForReady: true))
      while try await states.next()?.status != .serving {}
      // The new certificate is good for another name only.
      _ = try authority.issue("partner.new", role: "service", hosts: ["renewed.example"])
      for (file, new) in zip(files, ["partner.new.pem", "partner.new-key.pem"]) {
        if bySignal {
          try replaceUnseen(file, by: folder.file(new))
        } else {
          try FileManager.default.removeItem(atPath: file)
          try FileManager.default.moveItem(atPath: folder.file(new), toPath: file)
        }
      }
      if bySignal { service.signal(SIGHUP) }
      let isServed = await eventually {
        let channel = ClientChannel(
          host: "127.0.0.1", port: port, tls: context, loop: loop, serverName: "renewed.example")
        defer { channel.close() }
        return (try? await HealthClient(channel: channel).check(HealthCheckRequest(), options: .init())) != nil
      }
      #expect(isServed)
      service.signal(SIGTERM)
      #expect(try await states.next()?.status == .notServing)
      #expect(try await states.next() == nil)
    }
    #expect(try await service.result().code == 0)
  }

  /// PEM may have anything behind it.
  private func pad(_ path: String) throws {
    let data = try Data(contentsOf: URL(fileURLWithPath: path))
    let rest = Data(repeating: 0x0A, count: Self.fileBytes - data.count)
    try (data + rest).write(to: URL(fileURLWithPath: path))
    chmod(path, 0o600)
  }

  /// Writes other bytes into a file so that stat(2) tells no change.
  private func replaceUnseen(_ path: String, by other: String) throws {
    try pad(other)
    var before = stat()
    #expect(stat(path, &before) == 0)
    let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
    try file.write(contentsOf: Data(contentsOf: URL(fileURLWithPath: other)))
    try file.close()
    let times = [before.st_atim, before.st_mtim]
    #expect(utimensat(AT_FDCWD, path, times, 0) == 0)
  }
}
