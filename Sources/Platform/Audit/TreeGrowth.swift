import AuditProof
import Core
import Storage

/// Leaves that get their places in one batch: the rows of the leaves, and the tree behind them.
struct TreeGrowth {
  /// Of the levels of the tree, each fourth is stored: one row for sixteen leaves, and at most eight to be read for a subtree.
  static let storedLevels = 4
  /// The tree has grown since it was read: another replica was faster.
  static let outrun = BatchConflict(.versionMismatch, subject: "the audit log")

  private static let leafRows = RowInsertion(
    into: "audit_leaf",
    columns: ["position", "hash", "aggregate_id", "aggregate_version", "actor", "recorded_time", "body"])
  private static let nodeRows = RowInsertion(into: "audit_node", columns: ["level", "number", "hash"])

  private let before: MerkleFrontier
  private(set) var frontier: MerkleFrontier
  private let hasher = MerkleHasher()
  private var leaves = RowBuffer(leafRows, expect: .unique(orFail: outrun))
  private var nodes = RowBuffer(nodeRows, expect: .unique(orFail: outrun))

  init(from frontier: MerkleFrontier) {
    before = frontier
    self.frontier = frontier
  }

  /// The next leaf. `leaf` is what the body says, for the columns that are searched by.
  mutating func append(_ leaf: AuditLeaf, body: [UInt8]) {
    let hash = hasher.leaf(body)
    leaves.append(.integer(frontier.size))
    leaves.append(.blob(hash.array))
    leaves.append(.text(leaf.aggregateID))
    leaves.append(.integer(leaf.aggregateVersion))
    leaves.append(.text(leaf.actor))
    leaves.append(.time(leaf.recordedTime))
    leaves.append(.blob(body))
    var completed: [MerkleFrontier.Completed] = []
    frontier.append(hash, hasher) { completed.append($0) }
    for node in completed where node.level > 0 && node.level % TreeGrowth.storedLevels == 0 {
      nodes.append(.integer(Int64(node.level)))
      nodes.append(.integer(node.number))
      nodes.append(.blob(node.hash.array))
    }
  }

  /// SHA-256 of an event's payload.
  func payloadHash(_ payload: [UInt8]) -> [UInt8] { hasher.digest(payload).array }

  /// The root after all leaves.
  var root: MerkleHash { frontier.root(hasher) }

  /// All that is to be written, on the condition that the tree still is as it was read.
  func statements() -> [Statement] {
    let size = Statement(
      "UPDATE audit_log SET size = ?, frontier = ? WHERE size = ?",
      [.integer(frontier.size), .blob(frontier.bytes), .integer(before.size)],
      expect: .changes(1, orFail: TreeGrowth.outrun))
    return [size] + leaves.statements + nodes.statements
  }
}
