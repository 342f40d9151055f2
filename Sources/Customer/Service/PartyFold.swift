import API
import Core
import CustomerDomain
import Storage
import UseCases

/// Takes rows of parties one after another, and knows what must be written for all of them.
struct PartyFold {
  let environment: CustomerEnvironment
  let recording: Recording
  /// What has become of the rows.
  private(set) var state: ImportState<PartyRecord, PartyFacts>
  private var partyIDs: [PartyID] = []
  private var customerIDs: [CustomerID] = []
  private var eventIDs: [EventID] = []

  init(environment: CustomerEnvironment, recording: Recording, stored: [String: PartyRecord]) {
    self.environment = environment
    self.recording = recording
    state = ImportState(stored: stored)
  }

  /// Draws ids for so many rows, so that they ascend in the order of the rows.
  mutating func reserve(_ count: Int) {
    let fresh = state.freshCount(of: count)
    partyIDs = environment.identifiers(fresh, of: PartyID.self).reversed()
    customerIDs = environment.identifiers(fresh, of: CustomerID.self).reversed()
    eventIDs = environment.identifiers(count, of: EventID.self).reversed()
    state.reserveCapacity(count)
  }

  /// Takes the next row. Throws `InvalidRecord` if it may not follow on what is known.
  mutating func take(_ facts: PartyFacts, payload: [UInt8]) throws {
    let key = facts.reference.key
    guard let record = state.record(key) else {
      _ = try create(facts, payload: payload)
      return
    }
    guard payload != record.payload else { return state.leave() }
    let old = try state.facts(key) ?? record.facts()
    try KindNeverChanges.check(old, facts)
    let changed = environment.changed(record, from: old, to: facts, payload: payload, recording)
    let fields = old.changedFields(to: facts)
    let event = try environment.partyChanged(changed, facts, changedFields: fields, recording, id: eventIDs.popLast())
    state.change(key, changed, facts, event)
  }

  /// Adds a party whose key is not there.
  mutating func create(_ facts: PartyFacts, payload: [UInt8]) throws -> PartyRecord {
    let (clock, random) = (environment.clock, environment.random)
    let record = environment.created(
      facts, partyID: partyIDs.popLast() ?? PartyID(clock: clock, random: random),
      customerID: customerIDs.popLast() ?? CustomerID(clock: clock, random: random), payload: payload, recording)
    let event = try environment.partyChanged(record, facts, changedFields: nil, recording, id: eventIDs.popLast())
    state.create(facts.reference.key, record, facts, event)
    return record
  }

  /// Adds all that is to be written to a batch.
  func append(to batch: inout Batch) {
    var writes = PartyWrites()
    for entry in state.entries {
      if let stored = entry.stored {
        writes.update(entry.record, entry.facts, from: stored)
      } else {
        writes.create(entry.record, entry.facts)
      }
    }
    writes.append(to: &batch)
    batch.events += state.events
  }
}
