import Audit
import AuditProof
import MainstayTesting
import Testing

@Suite struct StoredProofTests {
  /// Roots of the trees of 0, 1, 2 … leaves, from the leaves alone.
  private func roots(_ bodies: [[UInt8]]) -> [MerkleHash] {
    let hasher = MerkleHasher()
    var frontier = MerkleFrontier()
    return [frontier.root(hasher)]
      + bodies.map { body in
        frontier.append(hasher.leaf(body), hasher)
        return frontier.root(hasher)
      }
  }

  @Test func whatIsStoredProvesEachLeafInEachTree() async throws {
    let store = try await AuditStore()
    for (round, count) in [1, 2, 14, 60, 300].enumerated() {
      try await store.add(count, prefix: "r\(round)-")
      try await store.place()
    }
    let bodies = try await store.bodies()
    let (roots, hasher) = (roots(bodies), MerkleHasher())
    #expect(bodies.count == 378)
    var generator = SystemRandomNumberGenerator()
    for size in [1, 2, 3, 16, 17, 255, 256, 257, 378]
      + (0..<20).map({ _ in Int.random(in: 1...378, using: &generator) })
    {
      #expect(try await store.proofs.root(size: Int64(size)) == roots[size])
      for position in [0, size / 3, size - 1] {
        let proof = try await store.proofs.inclusion(position: Int64(position), size: Int64(size))
        #expect(
          ProofCheck.inclusion(
            of: hasher.leaf(bodies[position]), at: Int64(position), size: Int64(size), root: roots[size], proof: proof),
          "\(position) of \(size)")
      }
      for first in [0, 1, size / 2, size - 1, size] {
        let proof = try await store.proofs.consistency(first: Int64(first), second: Int64(size))
        #expect(
          ProofCheck.consistency(
            firstSize: Int64(first), firstRoot: roots[first], secondSize: Int64(size), secondRoot: roots[size],
            proof: proof), "\(first) in \(size)")
      }
    }
  }

  @Test func eachStepSignsTheTreeThatItMade() async throws {
    let store = try await AuditStore()
    try await store.add(5)
    try await store.place()
    let note = try await store.database.row(.init("SELECT note FROM audit_checkpoint"))?.text(0)
    let checkpoint = try Checkpoint(note: note ?? "", keys: store.keys)
    #expect(checkpoint.size == 6 && checkpoint.name == AuditStore.name && checkpoint.epoch == store.log.epoch)
    #expect(checkpoint.root == roots(try await store.bodies())[6])
  }
}
