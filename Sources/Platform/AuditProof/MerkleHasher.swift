import COpenSSL

/// Hashes of RFC 6962, section 2.1: SHA-256 over a byte 0 and a leaf's bytes, or over a byte 1 and the hashes of two subtrees. Not
/// for use by two threads at once; making one costs as much as a few hashes.
public final class MerkleHasher {
  // Fetched once: in OpenSSL 3.0 each fetch takes a lock and a search.
  private static nonisolated(unsafe) let algorithm = EVP_MD_fetch(nil, "SHA256", nil)

  private let context = EVP_MD_CTX_new()

  /// A hasher.
  public init() {}

  deinit { EVP_MD_CTX_free(context) }

  /// The root of a tree without leaves: the hash of nothing.
  public func emptyRoot() -> MerkleHash { hash(prefix: nil, []) }

  /// The hash of a leaf.
  public func leaf(_ bytes: [UInt8]) -> MerkleHash { hash(prefix: 0, bytes) }

  /// The root of two subtrees, the left of which is complete.
  public func node(_ left: MerkleHash, _ right: MerkleHash) -> MerkleHash {
    begin()
    add(prefix: 1)
    for side in [left, right] { withUnsafeBytes(of: side.bytes) { add($0) } }
    return end()
  }

  /// Plain SHA-256 of some bytes.
  public func digest(_ bytes: [UInt8]) -> MerkleHash { hash(prefix: nil, bytes) }

  private func hash(prefix: UInt8?, _ bytes: [UInt8]) -> MerkleHash {
    begin()
    if let prefix { add(prefix: prefix) }
    bytes.withUnsafeBytes { add($0) }
    return end()
  }

  private func begin() {
    let isReady = EVP_DigestInit_ex2(context, Self.algorithm, nil)
    precondition(isReady == 1, "OpenSSL has no SHA-256")
  }

  private func add(prefix: UInt8) { withUnsafeBytes(of: prefix) { add($0) } }

  private func add(_ bytes: UnsafeRawBufferPointer) { EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) }

  private func end() -> MerkleHash {
    var result = SIMD32<UInt8>()
    withUnsafeMutableBytes(of: &result) { target in
      _ = EVP_DigestFinal_ex(context, target.baseAddress?.assumingMemoryBound(to: UInt8.self), nil)
    }
    return MerkleHash(result)
  }
}
