import Core
import RPCCore
import Synchronization

/// Tokens that were verified a short while ago. Looking one up costs a fraction of what verifying it does, and tokens come again
/// with each call of their five minutes.
///
/// Found by a few bytes of the signature, and then compared as a whole and in a time that does not tell how much agrees. Only what was
/// verified is kept, so a stranger cannot push others out.
final class TokenCache: Sendable {
  /// Parts with a lock each, so that event loops seldom wait for each other.
  private static let shards = 16
  /// Tokens in each part. One that is full drops those that are over, and all if none is: then they are verified once more.
  private static let tokensPerShard = 512
  /// How far from the end of a token the bytes lie that it is found by.
  private static let markOffset = 40

  private struct Entry {
    let token: [UInt8]
    let caller: Caller
    /// Seconds since 1970.
    let expiry: Int64
    /// Which keys it was verified with.
    let generation: Int
  }

  private final class Shard: Sendable {
    let entries = Mutex<[UInt64: Entry]>([:])
  }

  private let shards = (0..<TokenCache.shards).map { _ in Shard() }

  /// Who the owner of this token is, if it was verified with these keys and is not over.
  func caller(_ token: UnsafeRawBufferPointer, generation: Int, at now: Int64) -> Caller? {
    guard let mark = TokenCache.mark(token) else { return nil }
    return shard(mark).entries.withLock { entries in
      guard let entry = entries[mark], entry.generation == generation, now < entry.expiry,
        TokenCache.areEqual(token, entry.token)
      else { return nil }
      return entry.caller
    }
  }

  /// Keeps a verified token until it is over.
  func keep(_ token: [UInt8], _ verified: TokenVerifier.Verified, generation: Int, at now: Int64) {
    guard let mark = token.withUnsafeBytes({ TokenCache.mark($0) }) else { return }
    shard(mark).entries.withLock { entries in
      if entries.count >= TokenCache.tokensPerShard {
        entries = entries.filter { now < $0.value.expiry && $0.value.generation == generation }
        if entries.count >= TokenCache.tokensPerShard { entries = [:] }
      }
      entries[mark] = Entry(token: token, caller: verified.caller, expiry: verified.expiry, generation: generation)
    }
  }

  private static func mark(_ token: UnsafeRawBufferPointer) -> UInt64? {
    guard token.count >= markOffset else { return nil }
    return token.loadUnaligned(fromByteOffset: token.count - markOffset, as: UInt64.self)
  }

  /// The upper bits of a product depend on all bytes (multiplicative hashing).
  private func shard(_ mark: UInt64) -> Shard {
    shards[Int((mark &* 0x9E37_79B9_7F4A_7C15) >> 40) % TokenCache.shards]
  }

  private static func areEqual(_ token: UnsafeRawBufferPointer, _ other: [UInt8]) -> Bool {
    guard token.count == other.count else { return false }
    return other.withUnsafeBytes { other in
      var difference: UInt64 = 0
      var offset = 0
      while offset + 8 <= token.count {
        difference |=
          token.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
          ^ other.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        offset += 8
      }
      while offset < token.count {
        difference |= UInt64(token[offset] ^ other[offset])
        offset += 1
      }
      return difference == 0
    }
  }
}
