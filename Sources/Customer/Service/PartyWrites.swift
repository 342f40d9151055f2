import API
import Core
import CustomerDomain
import Storage
import UseCases

/// Parties that are created and changed together: their rows, names and events, as parts of one batch.
struct PartyWrites {
  private var customers = RowBuffer(customerRows, expect: conflict)
  private var parties = RowBuffer(partyRows, expect: conflict)
  private var memberships = RowBuffer(membershipRows, expect: conflict)
  private var names = NameRows()
  private var updates: [Statement] = []
  private var events: [OutboxEvent] = []

  private static let conflict = Statement.Expectation.unique(orFail: BatchConflict(.alreadyExists, subject: "party"))
  private static let customerRows = RowInsertion(
    into: "customer", columns: ["customer_id", "version", "create_time", "update_time"])
  private static let partyRows = RowInsertion(
    into: "party",
    columns: ["party_id", "source", "source_key", "version", "payload", "name_row", "create_time", "update_time"])
  private static let membershipRows = RowInsertion(into: "membership", columns: ["customer_id", "party_id"])

  /// Takes in a party that was not there, and makes it a customer of its own.
  mutating func create(_ record: PartyRecord, _ facts: PartyFacts) {
    customers.append(.id(record.customerID))
    customers.append(.integer(record.version))
    customers.append(.time(record.createTime))
    customers.append(.time(record.updateTime))
    parties.append(.id(record.partyID))
    parties.append(.text(facts.reference.source))
    parties.append(.text(facts.reference.key))
    parties.append(.integer(record.version))
    parties.append(.blob(record.payload))
    parties.append(.integer(record.nameRow))
    parties.append(.time(record.createTime))
    parties.append(.time(record.updateTime))
    memberships.append(.id(record.customerID))
    memberships.append(.id(record.partyID))
    names.insert(record.nameRow, record.partyID, facts.subject)
  }

  /// Takes in the new state of a party that was read in an older one. A `nameRow` other than the old one means that the party
  /// must be found by another name from now on.
  mutating func update(_ record: PartyRecord, _ facts: PartyFacts, from old: PartyRecord) {
    let id = record.partyID
    updates.append(
      Statement(
        "UPDATE party SET version = ?, payload = ?, name_row = ?, update_time = ? WHERE party_id = ? AND version = ?",
        [
          .integer(record.version), .blob(record.payload), .integer(record.nameRow), .time(record.updateTime), .id(id),
          .integer(old.version),
        ],
        expect: .changes(1, orFail: BatchConflict(.versionMismatch, subject: id.description))))
    updates.append(
      Statement(
        """
        UPDATE customer SET version = version + ?, update_time = ?
        WHERE customer_id = (SELECT customer_id FROM membership WHERE party_id = ?)
        """,
        [.integer(record.version - old.version), .time(record.updateTime), .id(id)],
        expect: .changes(1, orFail: BatchConflict(.notFound, subject: id.description))))
    if record.nameRow != old.nameRow {
      names.delete(old.nameRow)
      names.insert(record.nameRow, id, facts.subject)
    }
  }

  /// Takes in what happened.
  mutating func add(_ event: OutboxEvent) { events.append(event) }

  /// Adds everything to a batch. Parents go before children: foreign keys are checked at each statement.
  func append(to batch: inout Batch) {
    batch.statements += customers.statements
    batch.statements += parties.statements
    batch.statements += memberships.statements
    batch.statements += updates
    batch.statements += names.statements
    batch.events += events
  }
}

extension CustomerEnvironment {
  /// The event that a party was created or changed. `changedFields` is nil for its creation.
  func partyChanged(
    _ record: PartyRecord, _ facts: PartyFacts, changedFields: [String]?, _ recording: Recording, id: EventID? = nil
  ) throws -> OutboxEvent {
    let payload = PartyChanged(
      partyID: record.partyID.description, customerID: record.customerID.description, source: facts.reference.source,
      sourceKey: facts.reference.key, displayName: facts.subject.displayName, created: changedFields == nil,
      company: facts.subject.isCompany, changedFields: changedFields ?? [])
    return try event(payload, about: record.partyID.description, version: record.version, recording, id: id)
  }

  /// The record of a party that is to be created.
  func created(
    _ facts: PartyFacts, partyID: PartyID, customerID: CustomerID, payload: [UInt8], _ recording: Recording
  ) -> PartyRecord {
    PartyRecord(
      partyID: partyID, customerID: customerID, version: 1, payload: payload,
      nameRow: nameRows.next(at: recording.time), createTime: recording.time, updateTime: recording.time)
  }

  /// The record of a party after a change.
  func changed(
    _ old: PartyRecord, from oldFacts: PartyFacts, to facts: PartyFacts, payload: [UInt8], _ recording: Recording
  ) -> PartyRecord {
    var record = old
    record.version += 1
    record.payload = payload
    record.updateTime = recording.time
    if oldFacts.subject != facts.subject { record.nameRow = nameRows.next(at: recording.time) }
    return record
  }
}
