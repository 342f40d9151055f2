/// A tree that leaves are added to, as far as more leaves need it: the roots of the complete subtrees that its size is the sum of,
/// largest first. 63 hashes hold a tree of any size.
public struct MerkleFrontier: Hashable, Sendable {
  /// A subtree of 2^level leaves that was completed: the leaves from `number` × 2^level on.
  public struct Completed: Hashable, Sendable {
    /// 0 is a leaf.
    public let level: Int
    /// Which of its level, counted from 0.
    public let number: Int64
    /// Its root.
    public let hash: MerkleHash
  }

  /// How many leaves there are.
  public private(set) var size: Int64 = 0
  private var roots: [MerkleHash] = []

  /// A tree without leaves.
  public init() {}

  /// A tree as `bytes` has written it; nil if the number of hashes does not fit the size.
  public init?(size: Int64, bytes: [UInt8]) {
    guard size >= 0, bytes.count == size.nonzeroBitCount * MerkleHash.byteCount else { return nil }
    self.size = size
    roots = stride(from: 0, to: bytes.count, by: MerkleHash.byteCount).compactMap {
      MerkleHash(bytes[$0..<$0 + MerkleHash.byteCount])
    }
  }

  /// All that is to be kept, with the size, to go on later.
  public var bytes: [UInt8] { roots.flatMap(\.array) }

  /// Adds the next leaf, and tells of each subtree that it completes, the leaf itself first.
  public mutating func append(_ leaf: MerkleHash, _ hasher: MerkleHasher, completed: (Completed) -> Void = { _ in }) {
    var (hash, number, level) = (leaf, size, 0)
    completed(Completed(level: level, number: number, hash: hash))
    while number & 1 == 1, let left = roots.popLast() {
      hash = hasher.node(left, hash)
      number >>= 1
      level += 1
      completed(Completed(level: level, number: number, hash: hash))
    }
    roots.append(hash)
    size += 1
  }

  /// The root of the whole tree.
  public func root(_ hasher: MerkleHasher) -> MerkleHash {
    guard var root = roots.last else { return hasher.emptyRoot() }
    for left in roots.dropLast().reversed() { root = hasher.node(left, root) }
    return root
  }
}
