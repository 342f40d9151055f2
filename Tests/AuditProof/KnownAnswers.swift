import AuditProof
import Core
import Foundation
import Testing

/// The test values of merkle_rfc6962.json; its README says where they are from.
private struct KnownAnswers: Decodable {
  struct Inclusion: Decodable {
    let name: String
    let leafIndex, treeSize: Int64
    let leafHash, root: String
    let proof: [String]
    let valid: Bool
  }
  struct Consistency: Decodable {
    let name: String
    let size1, size2: Int64
    let root1, root2: String
    let proof: [String]
    let valid: Bool
  }
  let leafInputs, leafHashes, rootsBySize: [String]
  let inclusion: [Inclusion]
  let consistency: [Consistency]

  static let folder = ProcessInfo.processInfo.environment["MAINSTAY_DATA"] ?? "../shared/data"

  static func read() throws -> KnownAnswers? {
    let path = "\(folder)/merkle_rfc6962.json"
    guard let data = FileManager.default.contents(atPath: path) else {
      print("skipped: \(path) is not there")
      return nil
    }
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(KnownAnswers.self, from: data)
  }
}

func bytes(_ hexadecimal: String) -> [UInt8] {
  var result: [UInt8] = []
  var rest = hexadecimal[...]
  while rest.count >= 2 {
    result.append(UInt8(rest.prefix(2), radix: 16) ?? 0)
    rest = rest.dropFirst(2)
  }
  return result
}

@Suite struct KnownAnswerTests {
  @Test func hashesAndRootsAreThoseOfThePublishedTree() throws {
    guard let known = try KnownAnswers.read() else { return }
    let hasher = MerkleHasher()
    var frontier = MerkleFrontier()
    #expect(frontier.root(hasher).array == bytes(known.rootsBySize[0]))
    for (index, input) in known.leafInputs.enumerated() {
      let leaf = hasher.leaf(bytes(input))
      #expect(leaf.array == bytes(known.leafHashes[index]))
      frontier.append(leaf, hasher)
      #expect(frontier.root(hasher).array == bytes(known.rootsBySize[index + 1]))
    }
    #expect(known.leafInputs.count == 8)
  }

  @Test func justTheValidProofsAreAccepted() throws {
    guard let known = try KnownAnswers.read() else { return }
    for proof in known.inclusion {
      // A hash of another length cannot be written as one: such a proof is refused as it is read.
      let hashes = proof.proof.map { MerkleHash(bytes($0)) }
      let (leaf, root) = (MerkleHash(bytes(proof.leafHash)), MerkleHash(bytes(proof.root)))
      var verdict = false
      if let leaf, let root, !hashes.contains(nil) {
        verdict = ProofCheck.inclusion(
          of: leaf, at: proof.leafIndex, size: proof.treeSize, root: root, proof: hashes.compactMap { $0 })
      }
      #expect(verdict == proof.valid, "\(proof.name)")
    }
    for proof in known.consistency {
      let hashes = proof.proof.map { MerkleHash(bytes($0)) }
      var verdict = false
      if let first = MerkleHash(bytes(proof.root1)), let second = MerkleHash(bytes(proof.root2)), !hashes.contains(nil)
      {
        verdict = ProofCheck.consistency(
          firstSize: proof.size1, firstRoot: first, secondSize: proof.size2, secondRoot: second,
          proof: hashes.compactMap { $0 })
      }
      #expect(verdict == proof.valid, "\(proof.name)")
    }
    #expect(known.inclusion.count == 14 && known.consistency.count == 14)
  }
}
