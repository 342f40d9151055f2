import Core
import Protobuf
import RPCCore

/// What a token says (RFC 7519): sub, roles, amr (RFC 8176), iss, aud, exp, iat, nbf, jti.
struct TokenClaims {
  /// Longest name of a caller and of a token, in bytes.
  static let maximumNameBytes = 128
  /// Roles of one caller, and the longest name of one, in bytes.
  static let maximumRoles = 16
  static let maximumRoleBytes = 64
  /// Role of Mainstay's own services, which certificates alone give.
  static let serviceRole = "service"
  /// The authentication method that says that there was more than one (RFC 8176).
  static let secondFactor = "mfa"
  /// Seconds since 1970 that a time may be: to the end of the year 9999.
  private static let times = 0.0...253_402_300_799.0

  let subject: String
  let roles: Set<String>
  let hasSecondFactor: Bool
  let issuer: String
  let audiences: [String]
  /// Seconds since 1970.
  let expiry: Int64
  let issued: Int64
  let notBefore: Int64?

  init(_ payload: [String: JSONValue]) throws(AccessRefusal) {
    guard case .string(let subject)? = payload["sub"],
      isVisibleASCII(subject, maximumBytes: TokenClaims.maximumNameBytes)
    else {
      throw AccessRefusal(
        .tokenClaims, "the token's sub must be 1 to \(TokenClaims.maximumNameBytes) letters, digits and signs")
    }
    self.subject = subject
    roles = try TokenClaims.roles(payload["roles"])
    hasSecondFactor = try TokenClaims.texts(payload["amr"], "amr").contains(TokenClaims.secondFactor)
    guard case .string(let issuer)? = payload["iss"] else { throw TokenClaims.missing("iss", "a text") }
    self.issuer = issuer
    guard let audience = payload["aud"] else { throw TokenClaims.missing("aud", "a text or a list of texts") }
    if case .string(let one) = audience {
      audiences = [one]
    } else {
      audiences = try TokenClaims.texts(audience, "aud")
    }
    guard let expiry = try TokenClaims.time(payload["exp"], "exp") else {
      throw TokenClaims.missing("exp", "seconds since 1970")
    }
    guard let issued = try TokenClaims.time(payload["iat"], "iat") else {
      throw TokenClaims.missing("iat", "seconds since 1970")
    }
    (self.expiry, self.issued) = (expiry, issued)
    notBefore = try TokenClaims.time(payload["nbf"], "nbf")
    if let identifier = payload["jti"] {
      guard case .string(let text) = identifier, text.utf8.count <= TokenClaims.maximumNameBytes else {
        throw TokenClaims.missing("jti", "a text of at most \(TokenClaims.maximumNameBytes) bytes")
      }
    }
  }

  private static func missing(_ name: String, _ expected: String) -> AccessRefusal {
    AccessRefusal(.tokenClaims, "the token's \(name) is missing or is not \(expected)")
  }

  private static func roles(_ value: JSONValue?) throws(AccessRefusal) -> Set<String> {
    let roles = try texts(value, "roles")
    guard roles.count <= maximumRoles,
      roles.allSatisfy({ isVisibleASCII($0, maximumBytes: maximumRoleBytes) && $0 != serviceRole })
    else {
      throw AccessRefusal(
        .tokenClaims,
        "the token's roles must be at most \(maximumRoles), each of at most \(maximumRoleBytes) letters, digits and "
          + "signs; \(serviceRole) is none: services are known by their certificates")
    }
    return Set(roles)
  }

  private static func texts(_ value: JSONValue?, _ name: String) throws(AccessRefusal) -> [String] {
    guard let value else { return [] }
    guard case .array(let values) = value else { throw missing(name, "a list of texts") }
    var texts: [String] = []
    for value in values {
      guard case .string(let text) = value else { throw missing(name, "a list of texts") }
      texts.append(text)
    }
    return texts
  }

  private static func time(_ value: JSONValue?, _ name: String) throws(AccessRefusal) -> Int64? {
    guard let value else { return nil }
    guard case .number(let text) = value, let seconds = Double(text), times.contains(seconds) else {
      throw missing(name, "seconds since 1970")
    }
    return Int64(seconds)
  }
}
