import RPCCore

/// How the gateway tells a service who is calling. A service believes it from the gateway's certificate alone, and the gateway
/// removes what a client sends under these names.
public enum CallerMetadata {
  /// Name of the caller.
  public static let name = "mainstay-caller"
  /// One of the caller's roles; stands once for each.
  public static let role = "mainstay-caller-role"
  /// "yes" if the caller has shown a second factor.
  public static let secondFactor = "mainstay-caller-second-factor"
  /// Which service a call to something that every service has is meant for.
  public static let service = "mainstay-service"

  /// The caller that the gateway names; nil if it names none.
  static func caller(in metadata: Metadata, via gateway: String, believesSecondFactor: Bool) -> Caller? {
    guard let caller = metadata.first(name) else { return nil }
    let roles = metadata.values(role).map { String(decoding: $0, as: UTF8.self) }
    return Caller(
      name: caller, roles: Set(roles), via: gateway,
      hasSecondFactor: believesSecondFactor && metadata.first(secondFactor) == "yes")
  }
}

/// Name in the gateway's certificate.
public let gatewayName = "gateway"
/// Role in the certificates of Mainstay's own services.
public let serviceRole = "service"

extension MethodDescriptor {
  /// Whether this belongs to gRPC itself (health, reflection): open to every peer that TLS has let in.
  public var isInfrastructure: Bool { service.hasPrefix("grpc.health.") || service.hasPrefix("grpc.reflection.") }
}
