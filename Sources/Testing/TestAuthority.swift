import Core
import Foundation
import RPCTransport

/// Certificates for one test, made anew: an authority, and what it signs.
public struct TestAuthority: Sendable {
  /// Where the files are.
  public let folder: TemporaryFolder
  private let authority: CertificateAuthority
  /// What follows a certificate in its file: the authorities between it and the root.
  private let chainPEM: String

  /// A new authority in a folder of its own.
  public init() throws {
    folder = try TemporaryFolder()
    authority = try CertificateAuthority(name: "Test authority", days: 2, clock: SystemClock(), random: SystemRandom())
    chainPEM = ""
    try folder.write("ca.pem", authority.identity.certificatePEM)
  }

  private init(_ authority: CertificateAuthority, below above: TestAuthority) throws {
    folder = try TemporaryFolder()
    self.authority = authority
    chainPEM = authority.identity.certificatePEM + above.chainPEM
    try folder.write("ca.pem", chainPEM + String(contentsOfFile: above.certificatePath, encoding: .utf8))
  }

  /// An authority below this one with files of its own; `certificatePath` has this one too.
  public func subordinate(_ name: String) throws -> TestAuthority {
    try TestAuthority(
      authority.subordinate(name: name, days: 2, clock: SystemClock(), random: SystemRandom()), below: self)
  }

  /// The authority's own certificate, so that it can be revoked.
  public var own: TLSConfiguration {
    get throws {
      TLSConfiguration(
        authorityPath: certificatePath,
        certificateChainPath: try folder.write("authority.pem", authority.identity.certificatePEM))
    }
  }

  /// Path of the authority's certificate.
  public var certificatePath: String { folder.file("ca.pem") }

  /// A certificate NAME.pem and key NAME-key.pem; a role of "service" is a service's. Good for a server on localhost unless
  /// hosts are given; one without hosts is good for clients alone and lies in NAME-client.pem, since a server would read a
  /// changed NAME.pem anew.
  public func issue(
    _ name: String, role: String, hosts: [String] = ["localhost", "127.0.0.1"],
    verification: TLSConfiguration.ClientVerification = .required
  ) throws -> TLSConfiguration {
    let identity = try authority.issue(
      .init(commonName: name, organizationalUnit: role, hosts: hosts), days: 1, clock: SystemClock(),
      random: SystemRandom())
    let file = hosts.isEmpty ? "\(name)-client" : name
    return TLSConfiguration(
      authorityPath: certificatePath,
      certificateChainPath: try folder.write("\(file).pem", identity.certificatePEM + chainPEM),
      privateKeyPath: try folder.write("\(file)-key.pem", identity.privateKeyPEM), clientVerification: verification)
  }

  /// Writes the list of the certificates that are revoked, in place of the one before, and gives its path. `others` are lists of
  /// other authorities, PEM.
  @discardableResult
  public func revoke(_ revoked: [TLSConfiguration], days: Int = 1, others: String = "") throws -> String {
    try folder.write("revoked.pem", try revocationList(revoked, days: days) + others)
  }

  /// The list of the certificates that are revoked, PEM.
  public func revocationList(_ revoked: [TLSConfiguration], days: Int = 1) throws -> String {
    let identities = try revoked.map { configuration in
      CertificateAuthority.Identity(
        certificatePEM: try String(contentsOfFile: configuration.certificateChainPath ?? "", encoding: .utf8),
        privateKeyPEM: "")
    }
    return try authority.revocationList(of: identities, days: days, clock: SystemClock())
  }

  /// Writes the authority's certificate once more: the same, in a file that has changed.
  public func rewriteAuthority() throws {
    try folder.write("ca.pem", authority.identity.certificatePEM + "\n")
  }

  /// What a client without a certificate has.
  public var anonymous: TLSConfiguration { TLSConfiguration(authorityPath: certificatePath) }
}
