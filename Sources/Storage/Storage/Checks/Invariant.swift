/// Something that always holds of a database, looked at in slices: each is one statement, and so one state of the data.
public struct Invariant: Sendable {
  /// A part of the data.
  public struct Slice: Sendable {
    /// What is wrong in it.
    public var findings: [Finding] = []
    /// Rows that were looked at.
    public var rows = 0
    /// Where the next one begins; nil after the last.
    public var next: [SQLValue]?

    /// A part of so many rows in which nothing is wrong so far.
    public init(rows: Int = 0, next: [SQLValue]? = nil) { (self.rows, self.next) = (rows, next) }
  }

  /// Its name, in the words of an operator.
  public let name: String
  private let look: @Sendable (any Database, [SQLValue]?) async throws -> Slice

  /// An invariant; `look` is given where to begin, nil at first.
  public init(_ name: String, _ look: @escaping @Sendable (any Database, [SQLValue]?) async throws -> Slice) {
    self.name = name
    self.look = look
  }

  /// Looks at one slice.
  public func slice(of database: any Database, after place: [SQLValue]?) async throws -> Slice {
    try await look(database, place)
  }
}

extension Invariant {
  /// Most rows of a slice: a few milliseconds.
  public static let sliceRows = 256

  /// What holds of every service's database whose tables stand to events like this.
  public static func all(_ aggregates: [AggregateRows]) -> [Invariant] {
    aggregates.map(versions) + [eventsOfSomething(aggregates), positions, leaves, leavesOfEvents, answers]
  }

  /// A row's newest event has its version, and its events count 1, 2, 3 … without a gap; where events that were overtaken have been
  /// removed, from the last one of the snapshot on.
  static func versions(_ rows: AggregateRows) -> Invariant {
    let name = "events of \(rows.table)"
    let keys = rows.key.joined(separator: ", ")
    let places = rows.key.map { _ in "?" }.joined(separator: ", ")
    let kept = """
      coalesce((
        SELECT max(aggregate_version) FROM event WHERE aggregate_id = part_id
          AND position <= (SELECT max(snapshot_position) FROM event_snapshot)), 1)
      """
    @Sendable func sql(from condition: String) -> String {
      """
      SELECT part_id, part_version,
        (SELECT count(*) FROM event WHERE aggregate_id = part_id),
        (SELECT coalesce(min(aggregate_version), 0) FROM event WHERE aggregate_id = part_id),
        (SELECT coalesce(max(aggregate_version), 0) FROM event WHERE aggregate_id = part_id),
        (SELECT coalesce(max(removed_up_to), 0) FROM event_snapshot), \(kept),
        (SELECT count(*) FROM event WHERE aggregate_id = part_id AND aggregate_version >= \(kept)), \(keys)
      FROM (
        SELECT \(rows.id) AS part_id, \(rows.version) AS part_version, \(keys) FROM \(rows.table) \(condition)
        ORDER BY \(keys) LIMIT \(sliceRows)) AS part
      ORDER BY \(keys)
      """
    }
    return Invariant(name) { database, place in
      let statement =
        place.map { Statement(sql(from: "WHERE (\(keys)) > (\(places))"), $0) } ?? Statement(sql(from: ""))
      var slice = Slice()
      for row in try await database.query(statement, access: .scan) {
        let (version, count, low, high) = (
          try row.integer(1), try row.integer(2), try row.integer(3), try row.integer(4)
        )
        let isWhole =
          try row.integer(5) > 0
          ? count > 0 && row.integer(7) == high - row.integer(6) + 1 : count == version && low == 1
        if !isWhole || high != version {
          let told = count == 0 ? "no event tells of it" : "its \(count) events have versions \(low) to \(high)"
          slice.findings.append(
            Finding(name, place: "\(rows.table) \(try row.text(0))", problem: "the row has version \(version), \(told)")
          )
        }
        slice.rows += 1
        if slice.rows == sliceRows { slice.next = try rows.key.indices.map { try row.value(8 + $0) } }
      }
      return slice
    }
  }

  /// Each event's aggregate has a row.
  static func eventsOfSomething(_ aggregates: [AggregateRows]) -> Invariant {
    let name = "rows of events"
    let condition = aggregates.isEmpty ? "1 = 0" : aggregates.map(\.isKnown).joined(separator: " OR ")
    return Invariant(name) { database, place in
      let rows = try await database.query(
        Statement(
          """
          SELECT event_aggregate, CASE WHEN \(condition) THEN 1 ELSE 0 END FROM (
            SELECT aggregate_id AS event_aggregate FROM event WHERE aggregate_id > ?
            GROUP BY aggregate_id ORDER BY aggregate_id LIMIT \(sliceRows)) AS part
          ORDER BY event_aggregate
          """, place ?? [.text("")]), access: .scan)
      var slice = Slice()
      for row in rows {
        if try row.integer(1) == 0 {
          slice.findings.append(
            Finding(name, place: "event of \(try row.text(0))", problem: "there is no such row in any table"))
        }
        slice.rows += 1
        if slice.rows == sliceRows { slice.next = [.text(try row.text(0))] }
      }
      return slice
    }
  }

  /// The positions of each partition are 1, 2, 3 … up to the one given last, from where events were removed: each slice looks anew
  /// up to where that is, since removal goes on meanwhile.
  static let positions = Invariant("positions") { database, place in
    let (partition, last) = try place.map { ($0[0], $0[1]) } ?? (.integer(-1), .integer(.max))
    guard case .integer(let before) = last, before < .max else { return try await nextPartition(database, partition) }
    let begin = "coalesce((SELECT removed_up_to FROM event_snapshot WHERE partition = ? AND removed_up_to > ?), ?)"
    let row = try await database.row(
      Statement(
        """
        SELECT count(*), coalesce(min(position), 0), coalesce(max(position), 0),
          (SELECT last_position FROM event_partition WHERE partition = ?), \(begin)
        FROM (
          SELECT position FROM event WHERE partition = ? AND position > \(begin)
          ORDER BY position LIMIT \(sliceRows)) AS part
        """, [partition, partition, last, last, partition, partition, last, last]), access: .scan)
    guard let row else { return Slice() }
    let (count, low, high, given, start) = (
      try row.integer(0), try row.integer(1), try row.integer(2), try row.optionalInteger(3) ?? 0, try row.integer(4)
    )
    var slice = Slice(rows: Int(count), next: [partition, .integer(count == Int64(sliceRows) ? high : .max)])
    if count > 0, low != start + 1 || high - low + 1 != count {
      slice.findings.append(
        Finding("positions", place: "behind \(start)", problem: "\(count) events have positions \(low) to \(high)"))
    }
    let end = count == 0 ? start : high
    if count < Int64(sliceRows), end != given {
      slice.findings.append(
        Finding("positions", place: "last event", problem: "it has position \(end), but \(given) was given last"))
    }
    return slice
  }

  private static func nextPartition(_ database: any Database, _ partition: SQLValue) async throws -> Slice {
    let row = try await database.row(
      Statement("SELECT min(partition) FROM event_partition WHERE partition > ?", [partition]), access: .scan)
    guard let next = try row?.optionalInteger(0) else { return Slice() }
    return Slice(next: [.integer(next), .integer(0)])
  }

  /// Answers to repeated requests can be told from others, and have a time at which they go.
  static let answers = Invariant("answers") { database, place in
    let rows = try await database.query(
      Statement(
        """
        SELECT caller, method, request_id, length(request_hash), create_time FROM idempotency
        WHERE (caller, method, request_id) > (?, ?, ?) ORDER BY caller, method, request_id LIMIT \(sliceRows)
        """, place ?? [.text(""), .text(""), .text("")]), access: .scan)
    var slice = Slice()
    for row in rows {
      if try row.integer(3) == 0 || row.integer(4) <= 0 {
        let place = "request \(try row.text(2)) of \(try row.text(1))"
        slice.findings.append(Finding("answers", place: place, problem: "its hash or its time is missing"))
      }
      slice.rows += 1
      if slice.rows == sliceRows { slice.next = try (0..<3).map { try row.value($0) } }
    }
    return slice
  }
}
