import Core

// Start here: what proves something about an audit log, without the log. `MerkleHasher` makes the tree's hashes, `MerkleFrontier`
// a tree's root as leaves come, `ProofCheck` judges proofs that others have made, `Checkpoint` is what a log has signed.

/// A hash of the tree: 32 bytes of SHA-256.
public struct MerkleHash: Hashable, Sendable {
  /// Its length.
  public static let byteCount = 32

  /// The bytes.
  public let bytes: SIMD32<UInt8>

  /// A hash from exactly 32 bytes; nil for another number.
  public init?(_ bytes: some Collection<UInt8>) {
    guard bytes.count == MerkleHash.byteCount else { return nil }
    var value = SIMD32<UInt8>()
    for (index, byte) in bytes.enumerated() { value[index] = byte }
    self.bytes = value
  }

  init(_ bytes: SIMD32<UInt8>) { self.bytes = bytes }

  /// The bytes as they are stored.
  public var array: [UInt8] { withUnsafeBytes(of: bytes) { Array($0) } }

  /// Standard base64, as notes show it.
  public var base64: String { Base64.encode(array) }
}
