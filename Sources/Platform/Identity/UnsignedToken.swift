import Core
import Signatures

/// A token to be signed: for tests, and until identity is a service.
public struct UnsignedToken: Sendable {
  /// How long one is good if nobody says anything, and at most, in seconds.
  public static let maximumSeconds = TokenVerifier.maximumLifetimeSeconds

  /// Name of the caller.
  public var subject: String
  /// Its roles.
  public var roles: [String]
  /// Whether a second factor was given.
  public var hasSecondFactor = false
  /// Who gives it.
  public var issuer: String
  /// Whom it is for.
  public var audience: String
  /// How long it is good, in seconds.
  public var seconds = UnsignedToken.maximumSeconds

  /// A token for a caller.
  public init(subject: String, roles: [String], issuer: String, audience: String) {
    (self.subject, self.roles) = (subject, roles)
    (self.issuer, self.audience) = (issuer, audience)
  }

  /// The signed token, a secret: good from now on.
  public func signed(by key: SigningKey, clock: some Clock, random: some RandomSource) throws(KeyError) -> String {
    guard let publicKey = VerifyingKey(bytes: key.publicKey) else { throw KeyError("the key has no public half") }
    let issued = clock.now().seconds
    let identifier = [random.next(), random.next()].map { String($0, radix: 16) }.joined()
    let methods = hasSecondFactor ? ["pwd", TokenClaims.secondFactor] : ["pwd"]
    let header = "{\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":\(jsonString(publicKey.thumbprint))}"
    let payload =
      "{\"iss\":\(jsonString(issuer)),\"aud\":\(jsonString(audience)),\"sub\":\(jsonString(subject)),\"roles\":\(list(roles)),"
      + "\"amr\":\(list(methods)),\"iat\":\(issued),\"exp\":\(issued + seconds),\"jti\":\(jsonString(identifier))}"
    let signed = [header, payload].map { Base64.encode($0.utf8, urlSafe: true) }.joined(separator: ".")
    return signed + "." + Base64.encode(try key.signature(of: Array(signed.utf8)), urlSafe: true)
  }

  private func list(_ texts: [String]) -> String { "[" + texts.map(jsonString).joined(separator: ",") + "]" }
}
