import Core
import RPCCore
import Signatures
import Synchronization

/// Tells whose token it is that came with a call. Used on any thread.
public final class BearerTokens: Sendable {
  private struct Keys {
    var set: TokenKeySet
    var generation = 0
  }

  /// Forged signatures after which no more are verified for a connection: as much work as its handshake.
  public static let maximumForgeries = 10

  private let verifier: TokenVerifier
  private let cache = TokenCache()
  private let keys: Mutex<Keys>
  /// The same as in `keys`: counted up with each change of them, so that tokens of a key that is gone are not believed.
  private let generation = Atomic<Int>(0)
  private let clock: any Clock

  /// For tokens of one issuer, for one audience, signed with one of these keys.
  public init(issuer: String, audience: String, keys: TokenKeySet, clock: some Clock) {
    verifier = TokenVerifier(issuer: issuer, audience: audience)
    self.keys = Mutex(Keys(set: keys))
    self.clock = clock
  }

  /// Takes other keys. Tokens of those that are gone count no more.
  public func replace(_ set: TokenKeySet) {
    keys.withLock { keys in
      keys.set = set
      keys.generation += 1
      generation.store(keys.generation, ordering: .releasing)
    }
  }

  /// Who the owner is of the token in the value of a header "authorization". Signatures are not verified for a peer that has shown
  /// too many forged ones: that costs us more than sending them costs it.
  public func caller(authorization: [UInt8], from peer: Peer) throws(AccessRefusal) -> Caller {
    guard let start = BearerTokens.tokenStart(authorization) else {
      throw AccessRefusal(.tokenMalformed, "authorization must stand once and say Bearer and a token")
    }
    let now = clock.now().seconds
    let known = authorization.withUnsafeBytes {
      cache.caller(
        UnsafeRawBufferPointer(rebasing: $0[start...]), generation: generation.load(ordering: .acquiring), at: now)
    }
    if let known { return known }
    guard peer.forgeries < BearerTokens.maximumForgeries else {
      throw AccessRefusal(.tokenSignature, "too many forged tokens came over this connection; connect anew")
    }
    let token = Array(authorization[start...])
    let current = keys.withLock { $0 }
    let verified: TokenVerifier.Verified
    do throws(AccessRefusal) { verified = try verifier.verify(token, keys: current.set, at: now) } catch {
      if error.reason == .tokenSignature { peer.noteForgery() }
      throw error
    }
    cache.keep(token, verified, generation: current.generation, at: now)
    return verified.caller
  }

  /// Where the token begins; nil if the scheme is another one (RFC 6750; the name of a scheme may be written in any case).
  private static func tokenStart(_ value: [UInt8]) -> Int? {
    let scheme: StaticString = "bearer "
    let length = scheme.utf8CodeUnitCount
    guard value.count > length else { return nil }
    for index in 0..<length where value[index] | 0x20 != scheme.utf8Start[index] { return nil }
    return value[length...].firstIndex { $0 != 0x20 }
  }
}
