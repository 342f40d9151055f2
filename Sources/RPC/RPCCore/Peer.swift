import Synchronization

/// Who is at the other end of a connection. Cheap to copy: each call has it in several places.
public struct Peer: Sendable, Equatable {
  private let facts: PeerFacts

  /// "127.0.0.1:40312", or "in-process".
  public var address: String { facts.address }
  /// The certificate that it has proved to own; nil if none was asked for.
  public var certificate: PeerCertificate? { facts.certificate }
  /// The caller that the certificate names: found out once for all calls of a connection.
  public var caller: Caller? { facts.caller }
  /// Proofs of who calls that came over the connection and were forged.
  public var forgeries: Int { facts.forgeries.load(ordering: .relaxed) }

  /// A peer.
  public init(address: String, certificate: PeerCertificate?) {
    facts = PeerFacts(address, certificate)
  }

  /// Counts a forged proof.
  public func noteForgery() { facts.forgeries.add(1, ordering: .relaxed) }

  /// Whether the same is known of both.
  public static func == (left: Peer, right: Peer) -> Bool {
    left.facts === right.facts || left.address == right.address && left.certificate == right.certificate
  }
}

private final class PeerFacts: Sendable {
  let address: String
  let certificate: PeerCertificate?
  let caller: Caller?
  let forgeries = Atomic<Int>(0)

  init(_ address: String, _ certificate: PeerCertificate?) {
    self.address = address
    self.certificate = certificate
    caller = certificate.map { Caller(name: $0.commonName, roles: [$0.organizationalUnit]) }
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
  /// What a caller may lack to call a method.
  public enum Lack: Sendable {
    /// A role that may.
    case role
    /// A second factor.
    case secondFactor
  }

  /// Name of the user or service.
  public let name: String
  /// Its roles.
  public let roles: Set<String>
  /// The service that passed the call on, if it did not come from the caller itself.
  public let via: String?
  /// Whether it has shown a second factor shortly before; a certificate is none.
  public let hasSecondFactor: Bool

  /// A caller.
  public init(name: String, roles: Set<String>, via: String? = nil, hasSecondFactor: Bool = false) {
    self.name = name
    self.roles = roles
    self.via = via
    self.hasSecondFactor = hasSecondFactor
  }

  /// What the permission asks for and this caller has not; nil if it may. Without a permission nobody may.
  public func lack(for permission: MethodPermission?) -> Lack? {
    guard let permission, isAmong(permission.roles) else { return .role }
    return permission.secondFactor && !hasSecondFactor ? .secondFactor : nil
  }

  private func isAmong(_ permitted: [String]) -> Bool {
    roles.contains("administrator") || permitted.contains { $0 == "anyone" || roles.contains($0) }
  }
}
