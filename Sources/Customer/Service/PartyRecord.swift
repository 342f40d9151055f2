import API
import Core
import CustomerDomain
import RPCCore
import Storage
import UseCases

/// A party as it is stored.
struct PartyRecord: Sendable {
  let partyID: PartyID
  let customerID: CustomerID
  /// 1 at creation, one more with each change; also the version of its newest event.
  var version: Int64
  /// A Party of the facts alone.
  var payload: [UInt8]
  /// Its row in the name index.
  var nameRow: Int64
  let createTime: Timestamp
  var updateTime: Timestamp

  /// As callers see it.
  func message() throws -> Party {
    var party = try Party(serialized: payload)
    party.partyID = partyID.description
    party.customerID = customerID.description
    party.etag = Etag.encode(version)
    party.createTime = GoogleTimestamp(createTime)
    party.updateTime = GoogleTimestamp(updateTime)
    return party
  }

  /// The facts.
  func facts() throws -> PartyFacts {
    var faults = ViolationList()
    let facts = PartyFacts(try Party(serialized: payload), faults: &faults)
    guard faults.violations.isEmpty else { throw RPCError.damaged("party \(partyID)") }
    return facts
  }
}

extension PartyRecord {
  /// What a query must select, from party p and membership m, for `init(row:at:)`.
  static let columns = "p.party_id, m.customer_id, p.version, p.payload, p.name_row, p.create_time, p.update_time"

  /// The record whose columns begin at this one.
  init(row: Row, at start: Int = 0) throws {
    self.init(
      partyID: try row.id(start), customerID: try row.id(start + 1), version: try row.integer(start + 2),
      payload: try row.blob(start + 3), nameRow: try row.integer(start + 4), createTime: try row.time(start + 5),
      updateTime: try row.time(start + 6))
  }
}

/// Reads parties.
struct PartyRepository: Sendable {
  let database: any Database

  private static let select = """
    SELECT \(PartyRecord.columns) FROM party p JOIN membership m ON m.party_id = p.party_id
    """

  /// One party.
  func party(_ id: PartyID) async throws -> PartyRecord? {
    try await database.row(Statement(Self.select + " WHERE p.party_id = ?", [.id(id)])).map { try PartyRecord(row: $0) }
  }

  /// One party by where it comes from.
  func party(_ reference: SourceReference) async throws -> PartyRecord? {
    try await database.row(
      Statement(
        Self.select + " WHERE p.source = ? AND p.source_key = ?", [.text(reference.source), .text(reference.key)])
    ).map { try PartyRecord(row: $0) }
  }

  /// At most so many in the order of their ids, behind an id ("" begins).
  func parties(after id: String, limit: Int64) async throws -> [PartyRecord] {
    try await database.query(
      Statement(Self.select + " WHERE p.party_id > ? ORDER BY p.party_id LIMIT ?", [.text(id), .integer(limit)]),
      access: .scan
    ).map { try PartyRecord(row: $0) }
  }

  /// Those of a source's parties that have one of these keys, by key.
  func parties(source: String, keys: [String]) async throws -> [String: PartyRecord] {
    let list = try Statement.list(keys.map(SQLValue.text))
    let rows = try await database.query(
      Statement(
        """
        SELECT \(PartyRecord.columns), p.source_key FROM party p JOIN membership m ON m.party_id = p.party_id
        WHERE p.source = ? AND p.source_key IN (\(list.sql))
        """, [.text(source)] + list.parameters),
      access: .scan)
    var found: [String: PartyRecord] = [:]
    found.reserveCapacity(rows.count)
    for row in rows { found[try row.text(7)] = try PartyRecord(row: row) }
    return found
  }
}
