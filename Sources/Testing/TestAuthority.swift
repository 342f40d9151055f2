import Core
import Foundation
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

  /// Writes the list of the certificates that are revoked, in place of the one before, and gives its path.
  @discardableResult
  public func revoke(_ revoked: [TLSConfiguration], days: Int = 1) throws -> String {
    let identities = try revoked.map { configuration in
      CertificateAuthority.Identity(
        certificatePEM: try String(contentsOfFile: configuration.certificateChainPath ?? "", encoding: .utf8),
        privateKeyPEM: "")
    }
    return try folder.write(
      "revoked.pem", try authority.revocationList(of: identities, days: days, clock: SystemClock()))
  }

  /// Writes the authority's certificate once more: the same, in a file that has changed.
  public func rewriteAuthority() throws {
    try folder.write("ca.pem", authority.identity.certificatePEM + "\n")
  }

  /// What a client without a certificate has.
  public var anonymous: TLSConfiguration { TLSConfiguration(authorityPath: certificatePath) }
}
