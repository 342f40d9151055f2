extension Invariant {
  /// The leaves of the audit log stand at 0, 1, 2 … up to the size that the log tells. Whether they hash to its signed roots is
  /// for `mainstay audit verify` to say.
  static let leaves = Invariant("leaves") { database, place in
    let before = place?.first ?? .integer(-1)
    let row = try await database.row(
      Statement(
        """
        SELECT count(*), coalesce(min(position), 0), coalesce(max(position), 0), (SELECT size FROM audit_log)
        FROM (SELECT position FROM audit_leaf WHERE position > ? ORDER BY position LIMIT \(sliceRows)) AS part
        """, [before]), access: .scan)
    guard let row, case .integer(let last) = before else { return Slice() }
    let (count, low, high, size) = (
      try row.integer(0), try row.integer(1), try row.integer(2), try row.optionalInteger(3) ?? 0
    )
    var slice = Slice(rows: Int(count), next: count == Int64(sliceRows) ? [.integer(high)] : nil)
    if count > 0, low != last + 1 || high - low + 1 != count {
      slice.findings.append(
        Finding("leaves", place: "behind leaf \(last)", problem: "\(count) leaves stand at \(low) to \(high)"))
    }
    let end = count == 0 ? last : high
    if slice.next == nil, end + 1 != size {
      slice.findings.append(
        Finding("leaves", place: "last leaf", problem: "it stands at \(end), but the log has \(size) leaves"))
    }
    return slice
  }

  /// Each numbered event since the audit log began has its leaf, placed or waiting. A leaf whose contents were dropped no longer
  /// says of what it told; when that was, it does.
  static let leavesOfEvents = Invariant("leaves of events") { database, place in
    let rows = try await database.query(
      Statement(
        """
        SELECT partition, position, aggregate_id, aggregate_version, CASE
          WHEN EXISTS (
            SELECT 1 FROM audit_leaf
            WHERE audit_leaf.aggregate_id = part.aggregate_id AND audit_leaf.aggregate_version = part.aggregate_version)
          OR EXISTS (SELECT 1 FROM audit_pending WHERE entry_id = event_id)
          OR EXISTS (
            SELECT 1 FROM audit_leaf WHERE audit_leaf.recorded_time = part.recorded_time AND audit_leaf.body IS NULL)
          OR NOT EXISTS (SELECT 1 FROM audit_leaf WHERE audit_leaf.position = 0)
          OR part.recorded_time < (SELECT audit_leaf.recorded_time FROM audit_leaf WHERE audit_leaf.position = 0)
          THEN 1 ELSE 0 END
        FROM (
          SELECT partition, position, event_id, aggregate_id, aggregate_version, recorded_time FROM event
          WHERE (partition, position) > (?, ?) AND position IS NOT NULL
          ORDER BY partition, position LIMIT \(sliceRows)) AS part
        ORDER BY partition, position
        """, place ?? [.integer(0), .integer(0)]), access: .scan)
    var slice = Slice()
    for row in rows {
      if try row.integer(4) == 0 {
        let place = "event of \(try row.text(2)), version \(try row.integer(3))"
        slice.findings.append(Finding("leaves of events", place: place, problem: "the audit log has no leaf for it"))
      }
      slice.rows += 1
      if slice.rows == sliceRows { slice.next = [try row.value(0), try row.value(1)] }
    }
    return slice
  }
}
