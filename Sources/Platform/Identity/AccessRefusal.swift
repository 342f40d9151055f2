import RPCCore

/// A call that is refused for who makes it.
public struct AccessRefusal: RPCErrorConvertible {
  /// Why, for programs and figures: as google.rpc.ErrorInfo says it, and in small letters as a label.
  public enum Reason: String, Sendable, CaseIterable {
    /// Nobody is named: neither token nor certificate.
    case noCaller = "NO_CALLER"
    /// The caller has no role that may.
    case role = "ROLE_MISSING"
    /// The caller may, with a second factor.
    case secondFactor = "SECOND_FACTOR_MISSING"
    /// The certificate is revoked, expired, or of no authority that is trusted.
    case certificate = "CERTIFICATE_REFUSED"
    /// No keys are configured.
    case tokensNotAccepted = "TOKENS_NOT_ACCEPTED"
    /// No JWT, or one that is not written as it must be.
    case tokenMalformed = "TOKEN_MALFORMED"
    /// More bytes than a token may have.
    case tokenTooLong = "TOKEN_TOO_LONG"
    /// Another algorithm than EdDSA, or none.
    case tokenAlgorithm = "TOKEN_ALGORITHM"
    /// Signed by a key that is not known.
    case tokenKey = "TOKEN_KEY_UNKNOWN"
    /// The signature is not that of the key.
    case tokenSignature = "TOKEN_SIGNATURE"
    /// Over.
    case tokenExpired = "TOKEN_EXPIRED"
    /// Not yet valid.
    case tokenNotYetValid = "TOKEN_NOT_YET_VALID"
    /// Good for longer than a token may be.
    case tokenLifetime = "TOKEN_LIFETIME"
    /// Of another issuer.
    case tokenIssuer = "TOKEN_ISSUER"
    /// For somebody else.
    case tokenAudience = "TOKEN_AUDIENCE"
    /// A claim is missing, or is not what it must be.
    case tokenClaims = "TOKEN_CLAIMS"

    var code: StatusCode {
      switch self {
      case .role, .secondFactor: .permissionDenied
      default: .unauthenticated
      }
    }
  }

  /// google.rpc.ErrorInfo's domain of the reasons.
  public static let domain = "mainstay"

  /// Why.
  public let reason: Reason
  /// For the person who must act; holds nothing of a token.
  public let message: String

  /// A refusal.
  public init(_ reason: Reason, _ message: String) {
    (self.reason, self.message) = (reason, message)
  }

  /// UNAUTHENTICATED or PERMISSION_DENIED, with the reason for programs; the refusal itself is the cause.
  public var rpcError: RPCError {
    RPCError(
      reason.code, message, details: [.errorInfo(reason: reason.rawValue, domain: AccessRefusal.domain)], cause: self)
  }
}
