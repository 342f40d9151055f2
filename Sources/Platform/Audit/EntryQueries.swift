import API
import AuditProof
import Core
import Storage
import UseCases

/// A leaf that has its place.
public struct PlacedLeaf: Sendable {
  /// Its place.
  public let position: Int64
  /// Its hash as it is stored.
  public let hash: [UInt8]
  /// Its bytes; nil once they were dropped.
  public let body: [UInt8]?
}

/// Which entries a list has.
struct EntryFilter: Sendable {
  var aggregateID = ""
  var actor = ""
  var start: Timestamp?
  var end: Timestamp?
  var firstPosition: Int64 = 0

  /// Whether times alone select: then the list goes by time, so that it need not look at every entry.
  var goesByTime: Bool { aggregateID.isEmpty && actor.isEmpty && (start != nil || end != nil) }

  /// What must stand in a page token for it to belong to this list.
  var query: [String] {
    [
      "audit entries", aggregateID, actor, start.map { "\($0.microsecondsSinceEpoch)" } ?? "",
      end.map { "\($0.microsecondsSinceEpoch)" } ?? "", "\(firstPosition)",
    ]
  }
}

/// Reads entries.
struct EntryQueries: Sendable {
  let database: any Database

  /// The leaf at a place.
  func leaf(at position: Int64) async throws -> PlacedLeaf? {
    try await database.row(
      Statement("SELECT position, hash, body FROM audit_leaf WHERE position = ?", [.integer(position)])
    ).map(EntryQueries.leaf)
  }

  /// Leaves in the list's order behind a place: a time and a position, of which only the position counts in a list that does not go
  /// by time.
  func leaves(
    _ filter: EntryFilter, after place: (time: Int64, position: Int64)?, limit: Int
  ) async throws -> [(leaf: PlacedLeaf, time: Int64)] {
    var (conditions, parameters) = (["position >= ?"], [SQLValue.integer(filter.firstPosition)])
    func add(_ condition: String, _ values: SQLValue...) {
      conditions.append(condition)
      parameters += values
    }
    if !filter.aggregateID.isEmpty { add("aggregate_id = ?", .text(filter.aggregateID)) }
    if !filter.actor.isEmpty { add("actor = ?", .text(filter.actor)) }
    if let start = filter.start { add("recorded_time >= ?", .time(start)) }
    if let end = filter.end { add("recorded_time < ?", .time(end)) }
    if let place {
      if filter.goesByTime {
        add("(recorded_time, position) > (?, ?)", .integer(place.time), .integer(place.position))
      } else {
        add("position > ?", .integer(place.position))
      }
    }
    let order = filter.goesByTime ? "recorded_time, position" : "position"
    let rows = try await database.query(
      Statement(
        """
        SELECT position, hash, body, recorded_time FROM audit_leaf WHERE \(conditions.joined(separator: " AND "))
        ORDER BY \(order) LIMIT ?
        """, parameters + [.integer(Int64(limit))]), access: .scan)
    return try rows.map { (try EntryQueries.leaf($0), try $0.integer(3)) }
  }

  private static func leaf(_ row: Row) throws -> PlacedLeaf {
    PlacedLeaf(position: try row.integer(0), hash: try row.blob(1), body: try row.optionalBlob(2))
  }
}

extension AuditEntry {
  /// A leaf as callers see it. One whose bytes are none has them all the same: that it is so is for who verifies to find.
  init(_ placed: PlacedLeaf) {
    self.init(position: placed.position, body: placed.body ?? [], leafHash: placed.hash)
    guard let body = placed.body, let leaf = try? AuditLeaf(encoded: body) else { return }
    kind = AuditKind(rawValue: Int32(leaf.kind.rawValue))
    (entryID, aggregateID, aggregateVersion) = (leaf.entryID, leaf.aggregateID, leaf.aggregateVersion)
    (type, actor, callingService, method) = (leaf.type, leaf.actor, leaf.callingService, leaf.method)
    effectiveTime = GoogleTimestamp(leaf.effectiveTime)
    recordedTime = GoogleTimestamp(leaf.recordedTime)
    (payloadHash, detail) = (leaf.payloadHash, leaf.detail)
  }
}
