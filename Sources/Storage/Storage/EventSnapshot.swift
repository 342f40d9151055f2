import Core

/// What was published of a log, and what was removed from it since.
public struct EventSnapshot: Hashable, Sendable {
  /// The snapshot is the newest event of each aggregate up to this position; 0 if none was published.
  public var position: Int64 = 0
  /// How many events that are.
  public var events: Int64 = 0
  /// When it was published.
  public var time = Timestamp(microsecondsSinceEpoch: 0)
  /// Up to this position events may be gone that a later one of the snapshot has overtaken.
  public var removedUpTo: Int64 = 0
}

/// Snapshots, and the removal of events that they make needless.
///
/// Our events hold the full facts of their aggregate, so a snapshot needs no copy: it is those events that no later one, of the same
/// aggregate and type and up to the snapshot's position, has overtaken. They stay where they are; the others may go.
extension EventLog {
  /// Most events that are looked at in one step.
  public static let maximumSnapshotStep: Int64 = 1_000

  /// What was published and removed so far.
  public func snapshot() async throws -> EventSnapshot {
    let row = try await store.row(
      Statement(
        "SELECT snapshot_position, events, create_time, removed_up_to FROM event_snapshot WHERE partition = ?",
        [.integer(partition)]))
    guard let row else { return EventSnapshot() }
    return EventSnapshot(
      position: try row.integer(0), events: try row.integer(1), time: try row.time(2), removedUpTo: try row.integer(3))
  }

  /// The end of the next step of events behind a position: the position of its last; nil if there are none up to `limit`.
  public func step(after position: Int64, upTo limit: Int64) async throws -> Int64? {
    let row = try await store.row(
      Statement(
        """
        SELECT max(position) FROM (
          SELECT position FROM event WHERE partition = ? AND position > ? AND position <= ? ORDER BY position LIMIT ?) AS step
        """, [.integer(partition), .integer(position), .integer(limit), .integer(Self.maximumSnapshotStep)]),
      access: .scan)
    return try row?.optionalInteger(0)
  }

  /// How many events of a step belong to the snapshot up to `snapshot`.
  public func count(after position: Int64, to end: Int64, inSnapshot snapshot: Int64) async throws -> Int64 {
    try await store.row(
      Statement(
        """
        SELECT count(*) FROM event e WHERE e.partition = ? AND e.position > ? AND e.position <= ?
          AND NOT EXISTS (\(Self.overtaking))
        """, [.integer(partition), .integer(position), .integer(end), .integer(snapshot)]),
      access: .scan
    )?.integer(0) ?? 0
  }

  /// Publishes the snapshot up to a position, which has so many events.
  public func publication(upTo position: Int64, events: Int64, at time: Timestamp) -> Statement {
    Statement(
      """
      INSERT INTO event_snapshot (partition, snapshot_position, events, create_time, removed_up_to) VALUES (?, ?, ?, ?, 0)
      ON CONFLICT (partition) DO UPDATE SET snapshot_position = excluded.snapshot_position, events = excluded.events,
        create_time = excluded.create_time WHERE event_snapshot.snapshot_position <= excluded.snapshot_position
      """, [.integer(partition), .integer(position), .integer(events), .time(time)])
  }

  /// Removes the events of a step that are not in the published snapshot, and says so to whoever resumes from before. Nothing is
  /// removed unless the snapshot reaches beyond the step. An event whose audit leaf is still to be made of it stays until the
  /// next time.
  public func removal(after position: Int64, to end: Int64, snapshot: Int64) -> [Statement] {
    let partition = SQLValue.integer(partition)
    return [
      Statement(
        """
        UPDATE event_snapshot SET removed_up_to = CASE WHEN removed_up_to < ? THEN ? ELSE removed_up_to END
        WHERE partition = ? AND snapshot_position >= ? AND snapshot_position >= ?
        """, [.integer(end), .integer(end), partition, .integer(end), .integer(snapshot)],
        expect: .changes(1, orFail: BatchConflict(.preconditionFailed, subject: "a snapshot that reaches so far"))),
      Statement(
        """
        DELETE FROM event WHERE (aggregate_id, aggregate_version) IN (
          SELECT e.aggregate_id, e.aggregate_version FROM event e
          WHERE e.partition = ? AND e.position > ? AND e.position <= ? AND EXISTS (\(Self.overtaking))
            AND NOT EXISTS (SELECT 1 FROM audit_pending a WHERE a.entry_id = e.event_id))
        """, [partition, .integer(position), .integer(end), .integer(snapshot)]),
    ]
  }

  /// The last position whose event was recorded before a time, found by halving: positions follow the times of recording nearly.
  public func position(recordedBefore time: Timestamp) async throws -> Int64 {
    var (low, high) = (Int64(0), try await state().lastPosition)
    while low < high {
      let middle = low + (high - low + 1) / 2
      let row = try await store.row(
        Statement(
          "SELECT recorded_time FROM event WHERE partition = ? AND position >= ? ORDER BY position LIMIT 1",
          [.integer(partition), .integer(middle)]))
      if let recorded = try row?.time(0), recorded < time { low = middle } else { high = middle - 1 }
    }
    return low
  }

  private static let overtaking = """
    SELECT 1 FROM event n WHERE n.aggregate_id = e.aggregate_id AND n.aggregate_version > e.aggregate_version
      AND n.type = e.type AND n.partition = e.partition AND n.position <= ?
    """
}
