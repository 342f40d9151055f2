import AuditProof
import Core
import Testing

/// The definitions of RFC 6962, section 2.1, word by word: slow, and made in another way than the program's.
enum Definition {
  static func root(_ leaves: ArraySlice<[UInt8]>) -> [UInt8] {
    if leaves.isEmpty { return SHA256.hash([]) }
    if leaves.count == 1 { return SHA256.hash([0] + leaves[leaves.startIndex]) }
    let split = leaves.startIndex + largestPower(below: leaves.count)
    return SHA256.hash([1] + root(leaves[..<split]) + root(leaves[split...]))
  }

  static func path(_ position: Int, _ leaves: ArraySlice<[UInt8]>) -> [[UInt8]] {
    if leaves.count <= 1 { return [] }
    let count = largestPower(below: leaves.count)
    let split = leaves.startIndex + count
    return position < count
      ? path(position, leaves[..<split]) + [root(leaves[split...])]
      : path(position - count, leaves[split...]) + [root(leaves[..<split])]
  }

  static func subproof(_ first: Int, _ leaves: ArraySlice<[UInt8]>, _ isWhole: Bool = true) -> [[UInt8]] {
    if first == leaves.count { return isWhole ? [] : [root(leaves)] }
    let count = largestPower(below: leaves.count)
    let split = leaves.startIndex + count
    return first <= count
      ? subproof(first, leaves[..<split], isWhole) + [root(leaves[split...])]
      : subproof(first - count, leaves[split...], false) + [root(leaves[..<split])]
  }

  private static func largestPower(below count: Int) -> Int {
    var power = 1
    while power * 2 < count { power *= 2 }
    return power
  }
}

@Suite struct ProofTests {
  private static let leaves = (0..<80).map { Array("leaf \($0)".utf8) }
  private func hash(_ bytes: [UInt8]) -> MerkleHash { MerkleHash(bytes) ?? MerkleHasher().emptyRoot() }
  private func root(_ size: Int) -> MerkleHash { hash(Definition.root(Self.leaves[..<size])) }

  @Test func theFrontierHasTheRootOfTheDefinitionAndSurvivesBeingKept() throws {
    let hasher = MerkleHasher()
    var frontier = MerkleFrontier()
    for (size, leaf) in Self.leaves.enumerated() {
      #expect(frontier.root(hasher) == root(size))
      let kept = try #require(MerkleFrontier(size: frontier.size, bytes: frontier.bytes))
      #expect(kept == frontier)
      frontier.append(hasher.leaf(leaf), hasher)
    }
    #expect(MerkleFrontier(size: 3, bytes: [UInt8](repeating: 0, count: 32)) == nil)
  }

  @Test func proofsOfTheDefinitionHoldAndNoOthers() {
    let hasher = MerkleHasher()
    for size in [1, 2, 3, 7, 8, 9, 31, 32, 33, 80] {
      for position in 0..<size {
        let proof = Definition.path(position, Self.leaves[..<size]).map(hash)
        let leaf = hasher.leaf(Self.leaves[position])
        func holds(_ leaf: MerkleHash, _ position: Int, _ size: Int, _ proof: [MerkleHash]) -> Bool {
          ProofCheck.inclusion(
            of: leaf, at: Int64(position), size: Int64(size), root: root(min(size, 80)), proof: proof)
        }
        #expect(holds(leaf, position, size, proof))
        #expect(!holds(hasher.leaf([0xFF]), position, size, proof))
        #expect(!holds(leaf, position, size, proof + [leaf]))
        #expect(proof.isEmpty || !holds(leaf, position, size, proof.dropLast()))
        #expect(size == 1 || !holds(leaf, (position + 1) % size, size, proof))
        for index in proof.indices {
          var changed = proof
          changed[index] = leaf
          #expect(!holds(leaf, position, size, changed))
        }
      }
    }
  }

  @Test func consistencyHoldsForEachBeginningAndForNoOtherTree() {
    for second in [1, 2, 5, 8, 13, 32, 80] {
      for first in 1...second {
        let proof = Definition.subproof(first, Self.leaves[..<second]).map(hash)
        func holds(_ firstRoot: MerkleHash, _ secondRoot: MerkleHash, _ proof: [MerkleHash]) -> Bool {
          ProofCheck.consistency(
            firstSize: Int64(first), firstRoot: firstRoot, secondSize: Int64(second), secondRoot: secondRoot,
            proof: proof)
        }
        #expect(holds(root(first), root(second), proof))
        let other = hash(SHA256.hash([UInt8(first)]))
        #expect(!holds(other, root(second), proof))
        #expect(!holds(root(first), other, proof))
        #expect(!holds(root(first), root(second), proof + [other]))
        #expect(proof.isEmpty || !holds(root(first), root(second), proof.dropLast()))
      }
    }
  }

  @Test func noNumberBringsAProofDown() {
    let leaf = MerkleHasher().leaf([1])
    for (position, size) in [(-1, 5), (5, 5), (0, 0), (.max, .max), (.max - 1, .max), (0, .max), (.min, .min)]
      as [(Int64, Int64)]
    {
      for count in [0, 1, 62, 63, 64, 128, 129] {
        let proof = [MerkleHash](repeating: leaf, count: count)
        #expect(!ProofCheck.inclusion(of: leaf, at: position, size: size, root: leaf, proof: proof))
        #expect(
          !ProofCheck.consistency(
            firstSize: position, firstRoot: leaf, secondSize: size, secondRoot: MerkleHasher().emptyRoot(), proof: proof
          )
            || position == size)
      }
    }
  }
}
