import AuditProof
import Core
import Signatures
import Storage

/// Gives committed leaves their places in the tree, in the order of aggregate and version among those that wait, and signs a
/// checkpoint with each step.
///
/// It works under the lease of the sequencer of events: of several replicas one does it, and its batch has the lease and the tree's
/// size as preconditions, so that no place is given twice or left out.
public struct LeafSequencer: Sendable {
  /// Most leaves of one step: interactive writes wait for its batch.
  public static let maximumChunk = 1_024
  /// Largest payload that is read together with others, in bytes; a larger one is read by itself, so that a step's memory is bounded.
  static let maximumSharedPayload = 16_384

  /// What a step has done.
  public enum Step: Hashable, Sendable {
    /// No leaf waits for a place.
    case idle
    /// So many leaves got theirs.
    case placed(Int)
    /// Another replica has the lease, or was faster.
    case heldByOther
  }

  private let log: AuditLog
  private let lease: PartitionLease
  private let key: SigningKey?
  private let clock: any Clock
  private var database: any Database { log.database }

  /// A sequencer for the leaves of a log. Without a key there are no checkpoints.
  public init(log: AuditLog, lease: PartitionLease, key: SigningKey?, clock: any Clock) {
    (self.log, self.lease, self.key, self.clock) = (log, lease, key, clock)
  }

  /// Gives the next leaves their places, if any wait.
  public func step() async throws -> Step {
    let waiting = try await database.query(LeafSequencer.waiting, access: .scan)
    guard !waiting.isEmpty else { return .idle }
    guard let state = try await log.state() else {
      throw AuditFailure("the audit log has no beginning; start the service again")
    }
    var growth = TreeGrowth(from: state.frontier)
    var ids: [SQLValue] = []
    for row in waiting {
      ids.append(.text(try row.text(0)))
      let (leaf, body) = try await leaf(row, growth)
      growth.append(leaf, body: body)
    }
    let list = try Statement.list(ids)
    let removal = Statement(
      "DELETE FROM audit_pending WHERE entry_id IN (\(list.sql))", list.parameters,
      expect: .changes(ids.count, orFail: TreeGrowth.outrun))
    do {
      let precondition = try await lease.precondition()
      try await database.commit(
        Batch([precondition] + growth.statements() + [removal] + (try checkpoint(growth))), lane: .interactive)
      return .placed(ids.count)
    } catch StorageError.conflict(PartitionLease.lost) {
      lease.forget()
      return .heldByOther
    } catch StorageError.conflict(TreeGrowth.outrun) {
      return .heldByOther
    }
  }

  /// Signs the tree as it is, if no checkpoint is that large: at the beginning of a log, and where a key is new.
  public func signWhatIsUnsigned() async throws {
    guard key != nil, let state = try await log.state() else { return }
    let newest = try await log.newestNote().map { try Checkpoint(unverified: $0).size } ?? -1
    guard newest < state.frontier.size else { return }
    try await database.commit(Batch(try checkpoint(TreeGrowth(from: state.frontier))), lane: .interactive)
  }

  private static let waiting = Statement(
    """
    SELECT p.entry_id, p.aggregate_id, p.aggregate_version, p.method, p.calling_service, p.body, e.event_id, e.type,
      e.effective_time, e.recorded_time, e.actor,
      CASE WHEN length(e.payload) <= \(maximumSharedPayload) THEN e.payload END
    FROM audit_pending AS p
    LEFT JOIN event AS e ON e.aggregate_id = p.aggregate_id AND e.aggregate_version = p.aggregate_version
      AND e.event_id = p.entry_id AND p.body IS NULL
    ORDER BY p.aggregate_id, p.aggregate_version, p.entry_id LIMIT \(maximumChunk)
    """)

  /// The leaf of a row, and its bytes. One that cannot be made or read gets its place too: that it is so is for the verification to
  /// find, not for the log to stand still.
  private func leaf(_ row: Row, _ growth: TreeGrowth) async throws -> (AuditLeaf, [UInt8]) {
    var leaf = AuditLeaf(
      kind: .event, entryID: try row.text(0), aggregateID: try row.text(1), aggregateVersion: try row.integer(2),
      type: try row.optionalText(7) ?? "", actor: try row.optionalText(10) ?? "", callingService: try row.text(4),
      method: try row.text(3), effectiveTime: try LeafSequencer.time(row, 8),
      recordedTime: try LeafSequencer.time(row, 9))
    if let body = try row.optionalBlob(5) { return ((try? AuditLeaf(encoded: body)) ?? leaf, body) }
    if try row.optionalText(6) == nil {
      leaf.detail = "its event was not there when it got its place"
    } else if let payload = try row.optionalBlob(11) {
      leaf.payloadHash = growth.payloadHash(payload)
    } else {
      leaf.payloadHash = growth.payloadHash(try await largePayload(leaf))
    }
    return (leaf, leaf.encoded)
  }

  private func largePayload(_ leaf: AuditLeaf) async throws -> [UInt8] {
    let row = try await database.row(
      Statement(
        "SELECT payload FROM event WHERE aggregate_id = ? AND aggregate_version = ?",
        [.text(leaf.aggregateID), .integer(leaf.aggregateVersion)]))
    return try row?.blob(0) ?? []
  }

  private static func time(_ row: Row, _ column: Int) throws -> Timestamp {
    Timestamp(microsecondsSinceEpoch: try row.optionalInteger(column) ?? 0)
  }

  /// The row of the checkpoint over the tree as it will be.
  private func checkpoint(_ growth: TreeGrowth) throws -> [Statement] {
    guard let key else { return [] }
    let checkpoint = Checkpoint(
      name: log.name, epoch: log.epoch, size: growth.frontier.size, root: growth.root, time: clock.now())
    return [
      Statement(
        """
        INSERT INTO audit_checkpoint (hour, size, note) VALUES (?, ?, ?)
        ON CONFLICT (hour) DO UPDATE SET size = excluded.size, note = excluded.note
        """,
        [
          .integer(checkpoint.time.seconds / 3_600), .integer(checkpoint.size),
          .text(try checkpoint.note(signedBy: key)),
        ])
    ]
  }
}
