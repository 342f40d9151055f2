import MainstayTesting
import RPCTransport

/// Two authorities and the certificates that they sign; removed with the value.
struct TestIdentities: Sendable {
  let ours: TestAuthority
  let other: TestAuthority

  init() throws {
    ours = try TestAuthority()
    other = try TestAuthority()
  }

  /// The server's files; its clients need a certificate of our authority unless told otherwise.
  func server(_ verification: TLSConfiguration.ClientVerification = .required) throws -> TLSConfiguration {
    try ours.issue("ours-server", role: "service", verification: verification)
  }

  /// The files of a client that trusts our authority and has a certificate of it.
  func client() throws -> TLSConfiguration { try ours.issue("ours-client", role: "tester", hosts: []) }

  /// A client that trusts our authority and has a certificate of the other one.
  func stranger() throws -> TLSConfiguration {
    var configuration = try other.issue("other-client", role: "tester", hosts: [])
    configuration.authorityPath = ours.certificatePath
    return configuration
  }
}
