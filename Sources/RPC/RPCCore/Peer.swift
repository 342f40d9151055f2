/// Who is at the other end of a connection.
public struct Peer: Sendable, Equatable {
  /// "127.0.0.1:40312", or "in-process".
  public let address: String
  /// The certificate that it has proved to own; nil if none was asked for.
  public let certificate: PeerCertificate?

  /// A peer.
  public init(address: String, certificate: PeerCertificate?) {
    self.address = address
    self.certificate = certificate
  }
}

/// What a verified certificate says of its owner.
public struct PeerCertificate: Sendable, Equatable {
  /// CN of the subject: the name of a user or service.
  public let commonName: String
  /// OU of the subject: "service", or a user's role. Mainstay's own authority writes it.
  public let organizationalUnit: String

  /// A verified certificate.
  public init(commonName: String, organizationalUnit: String) {
    self.commonName = commonName
    self.organizationalUnit = organizationalUnit
  }
}

/// Who is calling, as permission and audit see it.
public struct Caller: Sendable, Equatable {
  /// Name of the user or service.
  public let name: String
  /// Its roles.
  public let roles: Set<String>
  /// The service that passed the call on, if it did not come from the caller itself.
  public let via: String?

  /// A caller.
  public init(name: String, roles: Set<String>, via: String? = nil) {
    self.name = name
    self.roles = roles
    self.via = via
  }

  /// The caller that a certificate names.
  public init(certificate: PeerCertificate) {
    self.init(name: certificate.commonName, roles: [certificate.organizationalUnit])
  }

  /// Whether the permission lets this caller in; denied without one.
  public func may(_ permission: MethodPermission?) -> Bool {
    guard let permission else { return false }
    if roles.contains("administrator") { return true }
    return permission.roles.contains { $0 == "anyone" || roles.contains($0) }
  }
}
