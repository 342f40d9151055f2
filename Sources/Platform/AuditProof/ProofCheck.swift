/// Judges proofs by RFC 9162 (2.1.3.2, 2.1.4.2), whose trees are those of RFC 6962. It knows nothing of how proofs are made.
public enum ProofCheck {
  /// Most hashes of a proof that is looked at; a tree of 2^62 leaves needs fewer.
  public static let maximumHashes = 128

  /// Whether the proof shows that the tree with this root and size has this leaf at this position.
  public static func inclusion(
    of leaf: MerkleHash, at position: Int64, size: Int64, root: MerkleHash, proof: [MerkleHash]
  ) -> Bool {
    guard position >= 0, position < size, proof.count <= maximumHashes else { return false }
    let hasher = MerkleHasher()
    var (node, last, hash) = (position, size - 1, leaf)
    for sibling in proof {
      if last == 0 { return false }
      if node & 1 == 1 || node == last {
        hash = hasher.node(sibling, hash)
        while node & 1 == 0, node != 0 { (node, last) = (node >> 1, last >> 1) }
      } else {
        hash = hasher.node(hash, sibling)
      }
      (node, last) = (node >> 1, last >> 1)
    }
    return last == 0 && hash == root
  }

  /// Whether the proof shows that the tree of the second size begins with all leaves of the first, in the same order.
  public static func consistency(
    firstSize: Int64, firstRoot: MerkleHash, secondSize: Int64, secondRoot: MerkleHash, proof: [MerkleHash]
  ) -> Bool {
    guard firstSize >= 0, firstSize <= secondSize, proof.count <= maximumHashes else { return false }
    let hasher = MerkleHasher()
    if firstSize == secondSize { return proof.isEmpty && firstRoot == secondRoot }
    // Every tree begins with nothing.
    if firstSize == 0 { return proof.isEmpty && firstRoot == hasher.emptyRoot() }
    var path = proof[...]
    if firstSize & (firstSize - 1) == 0 { path = [firstRoot] + path }
    guard let start = path.first else { return false }
    var (node, last) = (firstSize - 1, secondSize - 1)
    while node & 1 == 1 { (node, last) = (node >> 1, last >> 1) }
    var (first, second) = (start, start)
    for sibling in path.dropFirst() {
      if last == 0 { return false }
      if node & 1 == 1 || node == last {
        first = hasher.node(sibling, first)
        second = hasher.node(sibling, second)
        while node & 1 == 0, node != 0 { (node, last) = (node >> 1, last >> 1) }
      } else {
        second = hasher.node(second, sibling)
      }
      (node, last) = (node >> 1, last >> 1)
    }
    return last == 0 && first == firstRoot && second == secondRoot
  }
}
