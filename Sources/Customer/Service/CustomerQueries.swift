import API
import Core
import CustomerDomain
import RPCCore
import Storage
import UseCases

/// Reads parties, customers and memberships.
struct CustomerQueries: Sendable {
  let database: any Database

  /// GetParty.
  func party(_ request: GetPartyRequest) async throws -> Party {
    let id = try PartyID.named(request.partyID, "party_id")
    guard let record = try await PartyRepository(database: database).party(id) else {
      throw RPCError.noParty(id.description)
    }
    return try record.message()
  }

  /// ListParties.
  func parties(_ request: ListPartiesRequest) async throws -> ListPartiesResponse {
    if !request.source.isEmpty { try checkSource(request.source) }
    let page = try PageRequest(
      size: request.pageSize, token: request.pageToken, standard: 50, maximum: 1_000,
      query: ["parties", request.source])
    let filter = request.source.isEmpty ? "" : "p.source = ? AND "
    let parameters: [SQLValue] = request.source.isEmpty ? [] : [.text(request.source)]
    let rows = try await database.query(
      Statement(
        """
        SELECT \(PartyRecord.columns) FROM party p JOIN membership m ON m.party_id = p.party_id
        WHERE \(filter)p.party_id > ? ORDER BY p.party_id LIMIT ?
        """, parameters + [.text(try page.textPlace()), .integer(Int64(page.size + 1))]),
      access: .scan)
    let records = try rows.map { try PartyRecord(row: $0) }
    let cut = page.cut(records) { $0.payload.count }
    return ListPartiesResponse(
      parties: try cut.items.map { try $0.message() },
      nextPageToken: cut.hasMore ? page.token(after: cut.items.last?.partyID.description ?? "") : "")
  }

  /// GetCustomer.
  func customer(_ request: GetCustomerRequest) async throws -> Customer {
    let id = try CustomerID.named(request.customerID, "customer_id")
    let rows = try await database.query(
      Statement(Self.selectCustomers("WHERE c.customer_id = ?"), [.id(id)]), access: .point)
    guard let record = try CustomerRecord.read(rows).first else { throw RPCError.noCustomer(id.description) }
    return try record.message()
  }

  /// ListCustomers.
  func customers(_ request: ListCustomersRequest) async throws -> ListCustomersResponse {
    let page = try PageRequest(
      size: request.pageSize, token: request.pageToken, standard: 50, maximum: 1_000, query: ["customers"])
    let condition =
      "WHERE c.customer_id IN (SELECT customer_id FROM customer WHERE customer_id > ? ORDER BY customer_id LIMIT ?)"
    let rows = try await database.query(
      Statement(
        Self.selectCustomers(condition), [.text(try page.textPlace()), .integer(Int64(page.size + 1))]),
      access: .scan)
    let cut = page.cut(try CustomerRecord.read(rows)) { $0.byteCount }
    return ListCustomersResponse(
      customers: try cut.items.map { try $0.message() },
      nextPageToken: cut.hasMore ? page.token(after: cut.items.last?.customerID.description ?? "") : "")
  }

  /// SearchCustomers.
  func search(_ request: SearchCustomersRequest) async throws -> SearchCustomersResponse {
    var faults = ViolationList()
    faults.check(request.query, length: 1...256, "query")
    try faults.throwIfAny()
    let page = try PageRequest(
      size: request.pageSize, token: request.pageToken, standard: 20, maximum: 200, query: ["search", request.query])
    let hits = try await NameIndex(database: database)
      .search(request.query, after: try NamePlace(page), limit: page.size + 1)
    let list = try Statement.list(Array(Set(hits.map(\.customerID))).map { .id($0) })
    let rows =
      hits.isEmpty
      ? []
      : try await database.query(
        Statement(Self.selectCustomers("WHERE c.customer_id IN (\(list.sql))"), list.parameters), access: .scan)
    let records = Dictionary(
      try CustomerRecord.read(rows).map { ($0.customerID, $0) }, uniquingKeysWith: { first, _ in first })
    let cut = page.cut(hits) { records[$0.customerID]?.byteCount ?? 0 }
    var seen: Set<CustomerID> = []
    let customers = cut.items.filter { seen.insert($0.customerID).inserted }.compactMap { records[$0.customerID] }
    return SearchCustomersResponse(
      customers: try customers.map { try $0.message() },
      nextPageToken: cut.hasMore ? page.token(after: (cut.items.last?.place ?? .beginning).fields) : "")
  }

  /// ListMemberships.
  func memberships(_ request: ListMembershipsRequest) async throws -> ListMembershipsResponse {
    try checkSource(request.source)
    let page = try PageRequest(
      size: request.pageSize, token: request.pageToken, standard: 1_000, maximum: 10_000,
      query: ["memberships", request.source])
    let rows = try await database.query(
      Statement(
        """
        SELECT p.source_key, p.party_id, m.customer_id FROM party p JOIN membership m ON m.party_id = p.party_id
        WHERE p.source = ? AND p.source_key > ? ORDER BY p.source_key LIMIT ?
        """, [.text(request.source), .text(try page.textPlace()), .integer(Int64(page.size + 1))]),
      access: .scan)
    let memberships = try rows.map {
      Membership(sourceKey: try $0.text(0), partyID: try $0.text(1), customerID: try $0.text(2))
    }
    let cut = page.cut(memberships) { $0.sourceKey.utf8.count + 64 }
    return ListMembershipsResponse(
      memberships: cut.items, nextPageToken: cut.hasMore ? page.token(after: cut.items.last?.sourceKey ?? "") : "")
  }

  private func checkSource(_ source: String) throws {
    var faults = ViolationList()
    SourceReference.check(source: source, "source", into: &faults)
    try faults.throwIfAny()
  }

  private static func selectCustomers(_ condition: String) -> String {
    """
    SELECT c.version, c.create_time, c.update_time, \(PartyRecord.columns)
    FROM customer c JOIN membership m ON m.customer_id = c.customer_id JOIN party p ON p.party_id = m.party_id
    \(condition) ORDER BY m.customer_id, m.party_id
    """
  }
}

/// A customer as it is stored: its own row and its parties'.
struct CustomerRecord: Sendable {
  let customerID: CustomerID
  let version: Int64
  let createTime: Timestamp
  let updateTime: Timestamp
  /// Oldest first; at least one.
  private(set) var parties: [PartyRecord]

  /// Size of its parties' facts.
  var byteCount: Int { parties.reduce(0) { $0 + $1.payload.count } }

  /// Customers from rows of `selectCustomers`, one row for each party, those of one customer together.
  static func read(_ rows: [Row]) throws -> [CustomerRecord] {
    var records: [CustomerRecord] = []
    for row in rows {
      let party = try PartyRecord(row: row, at: 3)
      if let last = records.indices.last, records[last].customerID == party.customerID {
        records[last].parties.append(party)
      } else {
        records.append(
          CustomerRecord(
            customerID: party.customerID, version: try row.integer(0), createTime: try row.time(1),
            updateTime: try row.time(2), parties: [party]))
      }
    }
    return records
  }

  /// As callers see it.
  func message() throws -> Customer {
    let messages = try parties.map { try $0.message() }
    return Customer(
      customerID: customerID.description, displayName: displayName(of: messages), parties: messages,
      etag: Etag.encode(version), createTime: GoogleTimestamp(createTime), updateTime: GoogleTimestamp(updateTime))
  }

  /// The oldest party's that has one.
  private func displayName(of parties: [Party]) -> String {
    for party in parties {
      guard let kind = party.kind else { continue }
      var ignored = ViolationList()
      let name = Subject(kind, faults: &ignored).displayName
      if !name.isEmpty { return name }
    }
    return ""
  }
}
