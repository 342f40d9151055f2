import API
import Core
import CustomerDomain
import RPCCore
import Storage
import UseCases

/// A policy as it is stored.
struct PolicyRecord: Sendable {
  let policyID: PolicyID
  /// The policyholder.
  var partyID: PartyID
  /// 1 at creation, one more with each change; also the version of its newest event.
  var version: Int64
  /// A Policy of the facts alone.
  var payload: [UInt8]
  let createTime: Timestamp
  var updateTime: Timestamp

  /// As callers see it.
  func message() throws -> Policy {
    var policy = try Policy(serialized: payload)
    policy.policyID = policyID.description
    policy.policyholderPartyID = partyID.description
    policy.etag = Etag.encode(version)
    policy.createTime = GoogleTimestamp(createTime)
    policy.updateTime = GoogleTimestamp(updateTime)
    return policy
  }

  /// The facts.
  func facts() throws -> PolicyFacts {
    var faults = ViolationList()
    let facts = PolicyFacts(try Policy(serialized: payload), faults: &faults)
    guard faults.violations.isEmpty else { throw RPCError.damaged("policy \(policyID)") }
    return facts
  }
}

extension PolicyRecord {
  /// What a query must select from policy p for `init(row:)`.
  static let columns = "p.policy_id, p.party_id, p.version, p.payload, p.create_time, p.update_time"

  /// The record in a row's first columns.
  init(row: Row) throws {
    self.init(
      policyID: try row.id(0), partyID: try row.id(1), version: try row.integer(2), payload: try row.blob(3),
      createTime: try row.time(4), updateTime: try row.time(5))
  }
}

/// Which policies a list holds.
enum PolicyFilter: Sendable {
  case all
  case policyholder(PartyID)
  case source(String)
  case customer(CustomerID)
}

/// Reads policies.
struct PolicyRepository: Sendable {
  let database: any Database

  private static let select = "SELECT \(PolicyRecord.columns) FROM policy p"

  /// One policy.
  func policy(_ id: PolicyID) async throws -> PolicyRecord? {
    try await database.row(Statement(Self.select + " WHERE p.policy_id = ?", [.id(id)])).map {
      try PolicyRecord(row: $0)
    }
  }

  /// One policy by where it comes from.
  func policy(_ reference: SourceReference) async throws -> PolicyRecord? {
    try await database.row(
      Statement(
        Self.select + " WHERE p.source = ? AND p.source_key = ?", [.text(reference.source), .text(reference.key)])
    ).map { try PolicyRecord(row: $0) }
  }

  /// Those of a source's policies that have one of these numbers, by number.
  func policies(source: String, keys: [String]) async throws -> [String: PolicyRecord] {
    let list = try Statement.list(keys.map(SQLValue.text))
    let rows = try await database.query(
      Statement(
        """
        SELECT \(PolicyRecord.columns), p.source_key FROM policy p WHERE p.source = ? AND p.source_key IN (\(list.sql))
        """, [.text(source)] + list.parameters),
      access: .scan)
    var found: [String: PolicyRecord] = [:]
    found.reserveCapacity(rows.count)
    for row in rows { found[try row.text(6)] = try PolicyRecord(row: row) }
    return found
  }

  /// At most so many in order of creation, behind an id.
  func policies(_ filter: PolicyFilter, after id: String, limit: Int) async throws -> [PolicyRecord] {
    let (condition, parameters): (String, [SQLValue]) =
      switch filter {
      case .all: (" WHERE", [])
      case .policyholder(let party): (" WHERE p.party_id = ? AND", [.id(party)])
      case .source(let source): (" WHERE p.source = ? AND", [.text(source)])
      case .customer(let customer):
        (" JOIN membership m ON m.party_id = p.party_id WHERE m.customer_id = ? AND", [.id(customer)])
      }
    let rows = try await database.query(
      Statement(
        Self.select + condition + " p.policy_id > ? ORDER BY p.policy_id LIMIT ?",
        parameters + [.text(id), .integer(Int64(limit))]),
      access: .scan)
    return try rows.map { try PolicyRecord(row: $0) }
  }
}
