/// Certificates of one end of a connection, all in PEM files.
public struct TLSConfiguration: Sendable, Equatable {
  /// Whether a server asks its clients for a certificate.
  public enum ClientVerification: String, Sendable, CaseIterable {
    /// Does not ask.
    case none
    /// Asks, and lets clients without one in; a wrong one ends the connection.
    case optional
    /// Lets nobody in without one.
    case required
  }

  /// Own certificate and those that lead to the authority; nil for a client that has none.
  public var certificateChainPath: String?
  /// Own private key; a file that others can read is refused.
  public var privateKeyPath: String?
  /// Authorities that are trusted for the other end.
  public var authorityPath: String
  /// Certificates that their authorities have revoked: a list of each, PEM; nil if nobody revokes any.
  public var revocationListPath: String?
  /// For servers.
  public var clientVerification: ClientVerification

  /// Certificates of one end of a connection.
  public init(
    authorityPath: String, certificateChainPath: String? = nil, privateKeyPath: String? = nil,
    revocationListPath: String? = nil, clientVerification: ClientVerification = .required
  ) {
    self.authorityPath = authorityPath
    self.certificateChainPath = certificateChainPath
    self.privateKeyPath = privateKeyPath
    self.revocationListPath = revocationListPath
    self.clientVerification = clientVerification
  }
}
