import API
import AuditProof
import Core
import Protobuf

/// An entry and what shows that a log holds it, judged here: nothing but the key is believed.
struct EntryProof {
  private let proof: GetInclusionProofResponse
  private let keys: [LogKey]

  init(_ proof: GetInclusionProofResponse, keys: [LogKey]) {
    (self.proof, self.keys) = (proof, keys)
  }

  /// Reads what "mainstay audit proof" has printed.
  init(json: [UInt8], path: String, keys: [LogKey]) throws {
    do {
      let wire = try JSONTranscoder(try APIDescriptors.pool.get()).encode(
        json: json, as: GetInclusionProofResponse.fullName)
      self.init(try GetInclusionProofResponse(serialized: wire), keys: keys)
    } catch {
      throw CommandFailure.usage("\(path) is not what \"mainstay audit proof\" prints: \(error)")
    }
  }

  /// What the entry's own bytes say.
  func leaf() throws -> AuditLeaf {
    do { return try AuditLeaf(encoded: proof.entry?.body ?? []) } catch {
      throw CommandFailure("the entry's bytes are none: \(error)")
    }
  }

  /// The position that is proven.
  var position: Int64 { proof.entry?.position ?? 0 }

  /// The signed checkpoint whose tree holds the entry. Throws for anything that does not hold.
  func verified() throws -> Checkpoint {
    let checkpoint: Checkpoint
    do { checkpoint = try Checkpoint(note: proof.note, keys: keys) } catch {
      throw CommandFailure("the proof's checkpoint does not hold: \(error)")
    }
    guard let entry = proof.entry else { throw CommandFailure("the proof has no entry") }
    // Of dropped bytes only the hash is left to be proven.
    let hash = entry.body.isEmpty ? MerkleHash(entry.leafHash) : MerkleHasher().leaf(entry.body)
    let hashes = proof.hashes.compactMap { MerkleHash($0) }
    guard let hash, hashes.count == proof.hashes.count,
      ProofCheck.inclusion(of: hash, at: entry.position, size: checkpoint.size, root: checkpoint.root, proof: hashes)
    else {
      throw CommandFailure("entry \(entry.position) is not in the log that the checkpoint of \(checkpoint.size) signs")
    }
    return checkpoint
  }
}
