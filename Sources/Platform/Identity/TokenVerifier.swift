import Core
import Protobuf
import RPCCore
import Signatures

/// Verifies bearer tokens: JWTs (RFC 7519) in JWS's compact form (RFC 7515), signed with Ed25519 (RFC 8037), with the advice of RFC
/// 8725: one algorithm, keys by name from our own files alone, issuer and audience always looked at.
struct TokenVerifier: Sendable {
  /// Longest token, in bytes: it travels with every call.
  static let maximumTokenBytes = 4_096
  /// Longest time from `iat` to `exp`, in seconds: how long a right may outlive its withdrawal.
  static let maximumLifetimeSeconds: Int64 = 300
  /// What the clocks of two machines may differ by, in seconds.
  static let leewaySeconds: Int64 = 10
  /// Arrays and objects inside each other.
  private static let maximumDepth = 8

  /// Who is calling, and until when that counts, in seconds since 1970.
  struct Verified {
    let caller: Caller
    let expiry: Int64
  }

  let issuer: String
  let audience: String

  /// Judges a token at a time, in seconds since 1970. What costs little is looked at first: no signature of a token is verified that
  /// would not count anyhow.
  func verify(_ token: [UInt8], keys: TokenKeySet, at now: Int64) throws(AccessRefusal) -> Verified {
    guard token.count <= TokenVerifier.maximumTokenBytes else {
      throw AccessRefusal(.tokenTooLong, "the token has more than \(TokenVerifier.maximumTokenBytes) bytes")
    }
    let parts = token.split(separator: UInt8(ascii: "."), maxSplits: 3, omittingEmptySubsequences: false)
    guard parts.count == 3 else {
      throw AccessRefusal(.tokenMalformed, "the token is no signed JWT: that has three parts with dots between")
    }
    let key = try key(try members(parts[0], "header"), keys)
    let claims = try TokenClaims(try members(parts[1], "payload"))
    try check(claims, at: now)
    let signed = Array(token[..<parts[1].endIndex])
    guard key.holds(try bytes(parts[2], "signature"), of: signed) else {
      throw AccessRefusal(.tokenSignature, "the token's signature is not that of its key: it was changed, or forged")
    }
    let caller = Caller(name: claims.subject, roles: claims.roles, hasSecondFactor: claims.hasSecondFactor)
    return Verified(caller: caller, expiry: claims.expiry + TokenVerifier.leewaySeconds)
  }

  private func key(_ header: [String: JSONValue], _ keys: TokenKeySet) throws(AccessRefusal) -> VerifyingKey {
    guard header["alg"] == .string("EdDSA") else {
      throw AccessRefusal(.tokenAlgorithm, "the token's alg must be EdDSA")
    }
    guard header["crit"] == nil else {
      throw AccessRefusal(.tokenMalformed, "the token's header asks for extensions (crit); none is known")
    }
    if let type = header["typ"] {
      guard case .string(let name) = type, ["jwt", "at+jwt"].contains(name.lowercased()) else {
        throw AccessRefusal(.tokenMalformed, "the token's typ must be JWT or at+jwt, if there is one")
      }
    }
    guard case .string(let name)? = header["kid"] else {
      throw AccessRefusal(.tokenKey, "the token's header names no key (kid)")
    }
    guard let key = keys.key(name) else {
      throw AccessRefusal(.tokenKey, "the key that the token names (kid) is not known here; get a new token")
    }
    return key
  }

  private func check(_ claims: TokenClaims, at now: Int64) throws(AccessRefusal) {
    let leeway = TokenVerifier.leewaySeconds
    guard claims.issuer == issuer else { throw AccessRefusal(.tokenIssuer, "the token is of another issuer (iss)") }
    guard claims.audiences.contains(audience) else {
      throw AccessRefusal(.tokenAudience, "the token is for somebody else (aud)")
    }
    guard claims.expiry > claims.issued,
      claims.expiry - claims.issued <= TokenVerifier.maximumLifetimeSeconds
    else {
      throw AccessRefusal(
        .tokenLifetime, "a token is good for at most \(TokenVerifier.maximumLifetimeSeconds) seconds (iat to exp)")
    }
    guard claims.issued <= now + leeway, claims.notBefore ?? 0 <= now + leeway else {
      throw AccessRefusal(.tokenNotYetValid, "the token is not valid yet; look at the clocks")
    }
    guard now < claims.expiry + leeway else {
      throw AccessRefusal(.tokenExpired, "the token has expired; get a new one")
    }
  }

  private func members(_ part: ArraySlice<UInt8>, _ what: String) throws(AccessRefusal) -> [String: JSONValue] {
    let text = try bytes(part, what)
    guard case .object(let members)? = try? JSONValue.parse(text, maximumDepth: TokenVerifier.maximumDepth) else {
      throw AccessRefusal(
        .tokenMalformed,
        "the token's \(what) must be a JSON object of at most \(TokenVerifier.maximumDepth) levels, no name twice")
    }
    return Dictionary(members.map { ($0.name, $0.value) }) { first, _ in first }
  }

  /// A part's bytes, if it is written in the one way that base64 for URLs has for them.
  private func bytes(_ part: ArraySlice<UInt8>, _ what: String) throws(AccessRefusal) -> [UInt8] {
    let text = String(decoding: part, as: UTF8.self)
    guard let bytes = Base64.decode(text), Base64.encode(bytes, urlSafe: true) == text else {
      throw AccessRefusal(.tokenMalformed, "the token's \(what) must be base64 in its form for URLs, without padding")
    }
    return bytes
  }
}
