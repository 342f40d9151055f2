import AuditProof

/// Finds out what happened to leaves that do not fit the stored node over sixteen of them, by trying: the node still says in which
/// order which hashes stood, and most of those are still there. What cannot be found is which of sixteen was removed, or was
/// replaced together with its hash: nothing tells the hash that is gone.
struct LeafGroups {
  /// Leaves below one stored node.
  static let leaves = Int64(1) << Int64(TreeGrowth.storedLevels)
  /// Most groups that stay unclear before the trying ends.
  static let maximumUnclear = 8

  /// Something that happened.
  enum Finding: Hashable {
    /// One of the leaves that stood here is gone, and those behind it moved up.
    case removed(Range<Int64>)
    /// The leaf here is one too many: without it the others fit.
    case inserted(Int64)
    /// These two stand in each other's place.
    case exchanged(Int64, Int64)
    /// The leaf here belongs there.
    case misplaced(Int64, belongs: Int64)
  }

  private struct Group {
    let start: Int64
    let node: MerkleHash
    let hashes: [MerkleHash]
  }

  private let hasher: MerkleHasher
  /// How far leaves stand from where they were, because of what was inserted and removed before them.
  private(set) var shift: Int64 = 0
  private var unclear: [Group] = []

  init(_ hasher: MerkleHasher) { self.hasher = hasher }

  /// The next group is as it was.
  mutating func noteWhole() { shift = 0 }

  /// Which leaves `judge` wants to see for the group that begins at a position.
  func window(_ start: Int64) -> Range<Int64> { max(0, start + shift - 1)..<start + shift + Self.leaves + 1 }

  /// What happened to a group that does not fit its node; nothing if it only stands elsewhere because of what happened before, nil
  /// if it cannot be told. `hashes` are those of its window, as far as there are leaves.
  mutating func judge(_ node: MerkleHash, start: Int64, hashes: [Int64: MerkleHash]) -> [Finding]? {
    guard unclear.count < Self.maximumUnclear else { return nil }
    func stretch(_ first: Int64, _ count: Int64) -> [MerkleHash]? {
      let all = (first..<first + count).compactMap { hashes[$0] }
      return all.count == Int(count) ? all : nil
    }
    let before = unclear.last.map { $0.start..<$0.start + Self.leaves }
    let steps: [Int64] = before?.upperBound == start + shift ? [0, -1] : [0]
    for step in steps {
      let place = start + shift + step
      var findings: [Finding] = []
      if step != 0, let before { findings = [.removed(before)] }
      if step + shift != 0, stretch(place, Self.leaves).map({ root($0) == node }) == true {
        shift += step
        if step != 0 { unclear = [] }
        return findings
      }
      if let longer = stretch(place, Self.leaves + 1),
        let index = longer.indices.dropLast().first(where: { root(without($0, longer)) == node })
      {
        shift += step + 1
        unclear = []
        return findings + [.inserted(place + Int64(index))]
      }
    }
    guard let group = stretch(start + shift, Self.leaves) else { return nil }
    if let found = reordered(group, start + shift, node) ?? exchanged(group, start + shift, node) { return [found] }
    unclear.append(Group(start: start + shift, node: node, hashes: group))
    return nil
  }

  private func reordered(_ group: [MerkleHash], _ start: Int64, _ node: MerkleHash) -> Finding? {
    for first in group.indices {
      for second in group.indices where second != first {
        var tried = group
        tried.swapAt(first, second)
        if first < second, root(tried) == node { return .exchanged(start + Int64(first), start + Int64(second)) }
        tried = group
        tried.insert(tried.remove(at: first), at: second)
        if root(tried) == node { return .misplaced(start + Int64(first), belongs: start + Int64(second)) }
      }
    }
    return nil
  }

  private mutating func exchanged(_ group: [MerkleHash], _ start: Int64, _ node: MerkleHash) -> Finding? {
    for (place, other) in unclear.enumerated() {
      for (first, theirs) in other.hashes.enumerated() {
        for (second, ours) in group.enumerated() {
          var tried = group
          tried[second] = theirs
          guard root(tried) == node else { continue }
          tried = other.hashes
          tried[first] = ours
          guard root(tried) == other.node else { continue }
          unclear.remove(at: place)
          return .exchanged(other.start + Int64(first), start + Int64(second))
        }
      }
    }
    return nil
  }

  private func without(_ index: Int, _ hashes: [MerkleHash]) -> [MerkleHash] {
    var rest = hashes
    rest.remove(at: index)
    return rest
  }

  private func root(_ hashes: [MerkleHash]) -> MerkleHash {
    var frontier = MerkleFrontier()
    for hash in hashes { frontier.append(hash, hasher) }
    return frontier.root(hasher)
  }
}
