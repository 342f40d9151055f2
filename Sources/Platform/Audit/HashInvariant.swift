import AuditProof
import Storage

extension Invariant {
  /// Each leaf's bytes have the hash that is stored with them, and each sixteen leaves have the stored node over them: a flipped byte
  /// shows within a pass of the auditor. Signatures and events are for `mainstay audit verify` to look at.
  public static let leafHashes = Invariant("hashes of leaves") { database, place in
    var start: Int64 = 0
    if case .integer(let next)? = place?.first { start = next }
    let rows = try await database.query(
      Statement(
        "SELECT position, hash, body FROM audit_leaf WHERE position >= ? ORDER BY position LIMIT \(sliceRows)",
        [.integer(start)]), access: .scan)
    // Read after the leaves: the nodes over those are there.
    let nodes = try await database.query(
      Statement(
        "SELECT number, hash FROM audit_node WHERE level = \(TreeGrowth.storedLevels) AND number >= ? AND number < ?",
        [.integer(start / LeafGroups.leaves), .integer((start + Int64(sliceRows)) / LeafGroups.leaves)]), access: .scan)
    var stored: [Int64: [UInt8]] = [:]
    for node in nodes { stored[try node.integer(0)] = try node.blob(1) }
    var slice = Slice(rows: rows.count, next: rows.count == sliceRows ? [.integer(start + Int64(sliceRows))] : nil)
    func add(_ place: String, _ problem: String) {
      slice.findings.append(Finding("hashes of leaves", place: place, problem: problem))
    }
    let hasher = MerkleHasher()
    var (group, isGroupWhole) = (MerkleFrontier(), true)
    for (index, row) in rows.enumerated() {
      let position = start + Int64(index)
      // That one is missing is told by another check.
      guard try row.integer(0) == position else { break }
      let hash = MerkleHash(try row.blob(1))
      let body = try row.optionalBlob(2)
      if hash == nil || body.map({ hasher.leaf($0) != hash }) == true {
        add("leaf \(position)", "its bytes and its hash do not belong together")
        isGroupWhole = false
      }
      if let hash { group.append(hash, hasher) }
      guard (position + 1) % LeafGroups.leaves == 0 else { continue }
      let number = position / LeafGroups.leaves
      if isGroupWhole, stored[number] != group.root(hasher).array {
        add(
          "leaves \(number * LeafGroups.leaves) to \(position)",
          "they and the stored node over them do not belong together")
      }
      (group, isGroupWhole) = (MerkleFrontier(), true)
    }
    return slice
  }
}
