import Core
import RPCTransport

/// Certificates for one test, made anew: an authority, and what it signs.
public struct TestAuthority: Sendable {
  /// Where the files are.
  public let folder: TemporaryFolder
  private let authority: CertificateAuthority

  /// A new authority in a folder of its own.
  public init() throws {
    folder = try TemporaryFolder()
    authority = try CertificateAuthority(name: "Test authority", days: 2, clock: SystemClock(), random: SystemRandom())
    try folder.write("ca.pem", authority.identity.certificatePEM)
  }

  /// Path of the authority's certificate.
  public var certificatePath: String { folder.file("ca.pem") }

  /// A certificate NAME.pem and key NAME-key.pem; a role of "service" is a service's. Good for a server on localhost unless
  /// hosts are given.
  public func issue(
    _ name: String, role: String, hosts: [String] = ["localhost", "127.0.0.1"],
    verification: TLSConfiguration.ClientVerification = .required
  ) throws -> TLSConfiguration {
    let identity = try authority.issue(
      .init(commonName: name, organizationalUnit: role, hosts: hosts), days: 1, clock: SystemClock(),
      random: SystemRandom())
    return TLSConfiguration(
      authorityPath: certificatePath,
      certificateChainPath: try folder.write("\(name).pem", identity.certificatePEM),
      privateKeyPath: try folder.write("\(name)-key.pem", identity.privateKeyPEM), clientVerification: verification)
  }

  /// What a client without a certificate has.
  public var anonymous: TLSConfiguration { TLSConfiguration(authorityPath: certificatePath) }
}
