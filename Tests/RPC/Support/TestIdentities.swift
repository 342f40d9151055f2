import Core
import Foundation
import Glibc
import RPCTransport

/// Two authorities with certificates of servers and clients, in PEM files of a folder that is removed at the end.
final class TestIdentities: Sendable {
  static let shared = try! TestIdentities()

  let folder: String

  private init() throws {
    var template = Array("/tmp/mainstay-rpc-XXXXXX".utf8CString)
    folder = String(cString: mkdtemp(&template))
    for name in ["ours", "other"] {
      let authority = try CertificateAuthority(name: name, days: 1, clock: SystemClock(), random: SystemRandom())
      try write("\(name).pem", authority.identity.certificatePEM)
      for (owner, unit, hosts) in [("server", "service", ["127.0.0.1", "localhost"]), ("client", "tester", [])] {
        let identity = try authority.issue(
          .init(commonName: "\(name)-\(owner)", organizationalUnit: unit, hosts: hosts), days: 1, clock: SystemClock(),
          random: SystemRandom())
        try write("\(name)-\(owner).pem", identity.certificatePEM)
        try write("\(name)-\(owner)-key.pem", identity.privateKeyPEM)
      }
    }
    atexit { try? FileManager.default.removeItem(atPath: TestIdentities.shared.folder) }
  }

  func path(_ name: String) -> String { folder + "/" + name }

  private func write(_ name: String, _ text: String) throws {
    try text.write(toFile: path(name), atomically: false, encoding: .utf8)
    chmod(path(name), 0o600)
  }

  /// The server's files; its clients need a certificate of our authority unless told otherwise.
  func server(_ verification: TLSConfiguration.ClientVerification = .required) -> TLSConfiguration {
    TLSConfiguration(
      authorityPath: path("ours.pem"), certificateChainPath: path("ours-server.pem"),
      privateKeyPath: path("ours-server-key.pem"), clientVerification: verification)
  }

  /// A client's files: of our authority, of the other one, or none.
  func client(of authority: String? = "ours") -> TLSConfiguration {
    guard let authority else { return TLSConfiguration(authorityPath: path("ours.pem")) }
    return TLSConfiguration(
      authorityPath: path("ours.pem"), certificateChainPath: path("\(authority)-client.pem"),
      privateKeyPath: path("\(authority)-client-key.pem"))
  }
}
