import AuditProof
import Core
import Storage

// Start here: an audit log lies in the tables of component "audit". Leaves are committed without a place with what they tell of
// (Batch), `LeafSequencer` gives them their places and signs checkpoints, `ProofSource` proves, `LogVerification` recomputes all.

/// A service's audit log: an append-only Merkle tree (RFC 6962) over one leaf for every change.
public struct AuditLog: Sendable {
  /// Actor of the log's own entries.
  public static let ownActor = "mainstay"

  /// "mainstay/customer": the name in checkpoints.
  public let name: String
  /// The epoch of the service's database.
  public let epoch: String
  let database: any Database

  /// How far the tree is.
  public struct State: Sendable {
    /// The log epoch in which the last leaf got its place.
    public let epoch: String
    /// The tree.
    public let frontier: MerkleFrontier
  }

  /// Opens the log of a migrated database whose events have been opened (`EventLog.open`). The first time its first leaf says that
  /// it begins and how many events there were before; after a restore a leaf says that.
  public static func open(
    _ database: any Database, name: String, clock: some Clock, random: some RandomSource
  ) async throws -> AuditLog {
    guard let epoch = try await database.row(Statement("SELECT epoch FROM log_epoch"))?.text(0) else {
      throw AuditFailure("the database has no log epoch; its events were never opened")
    }
    let log = AuditLog(name: name, epoch: epoch, database: database)
    guard let state = try await log.state() else {
      try await log.begin(clock: clock, random: random)
      return log
    }
    if state.epoch != epoch { try await log.noteRestoration(from: state, clock: clock, random: random) }
    return log
  }

  /// How far the tree is; nil before its beginning.
  public func state() async throws -> State? { try await AuditLog.state(of: database) }

  static func state(of database: any Database) async throws -> State? {
    guard let row = try await database.row(Statement("SELECT epoch, size, frontier FROM audit_log")) else { return nil }
    guard let frontier = MerkleFrontier(size: try row.integer(1), bytes: try row.blob(2)) else {
      throw AuditFailure("the audit log's own row is damaged: its hashes do not fit its size; run \"audit verify\"")
    }
    return State(epoch: try row.text(0), frontier: frontier)
  }

  private func begin(clock: some Clock, random: some RandomSource) async throws {
    let events = try await database.row(Statement("SELECT count(*) FROM event"), access: .scan)?.integer(0) ?? 0
    let leaf = entry(.beginning, "events_before=\(events)", clock, random)
    var growth = TreeGrowth(from: MerkleFrontier())
    growth.append(leaf, body: leaf.encoded)
    let row = Statement(
      "INSERT INTO audit_log (\"only\", epoch, size, frontier) VALUES (1, ?, 0, ?)", [.text(epoch), .blob([])],
      expect: .unique(orFail: TreeGrowth.outrun))
    do {
      try await database.commit(Batch([row] + growth.statements()), lane: .interactive)
    } catch StorageError.conflict(TreeGrowth.outrun) {
      // Another replica was faster with the same.
    }
  }

  /// Waits for its place like any other leaf; the checkpoints behind it are of the new epoch.
  private func noteRestoration(from state: State, clock: some Clock, random: some RandomSource) async throws {
    let detail = "epoch_before=\(state.epoch) epoch=\(epoch) size=\(state.frontier.size)"
    var batch = Batch([
      Statement(
        "UPDATE audit_log SET epoch = ? WHERE epoch = ?", [.text(epoch), .text(state.epoch)],
        expect: .changes(1, orFail: TreeGrowth.outrun))
    ])
    batch.audit = [entry(.restoration, detail, clock, random)]
    do { try await database.commit(batch, lane: .interactive) } catch StorageError.conflict(TreeGrowth.outrun) {}
  }

  /// An entry of the log about itself.
  func entry(
    _ kind: AuditLeaf.Kind, _ detail: String, _ clock: some Clock, _ random: some RandomSource
  ) -> AuditLeaf {
    let now = clock.now()
    return AuditLeaf(
      kind: kind, entryID: AuditEntryID(clock: clock, random: random).description, aggregateID: name, type: "audit",
      actor: AuditLog.ownActor, effectiveTime: now, recordedTime: now, detail: detail)
  }
}

/// What went wrong with an audit log: one line for the person who must act.
public struct AuditFailure: Error, Hashable, Sendable, CustomStringConvertible {
  /// The line.
  public let description: String

  init(_ description: String) { self.description = description }
}
