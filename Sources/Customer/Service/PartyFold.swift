import API
import Core
import CustomerDomain
import Storage

/// Parties of one source as they stand after some rows, and what must be written to get there.
struct PartyFold {
  let environment: Environment
  let recording: Recording
  private(set) var created: Int64 = 0
  private(set) var updated: Int64 = 0
  private(set) var unchanged: Int64 = 0

  /// What is in the database.
  private let stored: [String: PartyRecord]
  /// What the rows have made of it, in the order in which the keys came.
  private var entries: [Entry] = []
  private var places: [String: Int] = [:]
  private var events: [OutboxEvent] = []
  private var partyIDs: [PartyID] = []
  private var customerIDs: [CustomerID] = []
  private var eventIDs: [EventID] = []

  private struct Entry {
    var record: PartyRecord
    var facts: PartyFacts
    let stored: PartyRecord?
  }

  init(environment: Environment, recording: Recording, stored: [String: PartyRecord]) {
    self.environment = environment
    self.recording = recording
    self.stored = stored
  }

  /// Draws ids for so many new parties at most, so that they ascend in the order of the rows.
  mutating func reserve(_ count: Int) {
    let fresh = max(0, count - stored.count)
    partyIDs = environment.identifiers(fresh, of: PartyID.self).reversed()
    customerIDs = environment.identifiers(fresh, of: CustomerID.self).reversed()
    eventIDs = environment.identifiers(count, of: EventID.self).reversed()
    entries.reserveCapacity(count)
    events.reserveCapacity(count)
  }

  /// Takes the next row.
  mutating func take(_ facts: PartyFacts, payload: [UInt8]) throws {
    let key = facts.reference.key
    if let place = places[key] {
      let entry = entries[place]
      try change(entry.record, { entry.facts }, to: facts, payload: payload, stored: entry.stored, place: place)
    } else if let record = stored[key] {
      try change(record, { try record.facts() }, to: facts, payload: payload, stored: record, place: nil)
    } else {
      _ = try create(facts, payload: payload)
    }
  }

  /// The party with this key, in the database or from a row.
  func party(_ key: String) -> PartyRecord? { places[key].map { entries[$0].record } ?? stored[key] }

  /// Adds a party whose key is not there.
  mutating func create(_ facts: PartyFacts, payload: [UInt8]) throws -> PartyRecord {
    let (clock, random) = (environment.clock, environment.random)
    let record = environment.created(
      facts, partyID: partyIDs.popLast() ?? PartyID(clock: clock, random: random),
      customerID: customerIDs.popLast() ?? CustomerID(clock: clock, random: random), payload: payload, recording)
    events.append(try environment.partyChanged(record, facts, changedFields: nil, recording, id: eventIDs.popLast()))
    places[facts.reference.key] = entries.count
    entries.append(Entry(record: record, facts: facts, stored: nil))
    created += 1
    return record
  }

  private mutating func change(
    _ record: PartyRecord, _ oldFacts: () throws -> PartyFacts, to facts: PartyFacts, payload: [UInt8],
    stored: PartyRecord?, place: Int?
  ) throws {
    guard payload != record.payload else {
      unchanged += 1
      return
    }
    let old = try oldFacts()
    try KindNeverChanges.check(old, facts)
    let changed = environment.changed(record, from: old, to: facts, payload: payload, recording)
    events.append(
      try environment.partyChanged(
        changed, facts, changedFields: old.changedFields(to: facts), recording, id: eventIDs.popLast()))
    let entry = Entry(record: changed, facts: facts, stored: stored)
    if let place {
      entries[place] = entry
    } else {
      places[facts.reference.key] = entries.count
      entries.append(entry)
    }
    updated += 1
  }

  /// Adds all that is to be written to a batch.
  func append(to batch: inout Batch) {
    var writes = PartyWrites()
    for entry in entries {
      if let stored = entry.stored {
        writes.update(entry.record, entry.facts, from: stored)
      } else {
        writes.create(entry.record, entry.facts)
      }
    }
    writes.append(to: &batch)
    batch.events += events
  }
}
