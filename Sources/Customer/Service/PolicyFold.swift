import API
import Core
import CustomerDomain
import Storage
import UseCases

/// Takes rows of policies one after another, and knows what must be written for all of them.
struct PolicyFold {
  let environment: CustomerEnvironment
  let recording: Recording
  /// What has become of the rows.
  private(set) var state: ImportState<PolicyRecord, PolicyFacts>
  private var holders: PartyFold
  private var policyIDs: [PolicyID] = []
  private var eventIDs: [EventID] = []

  init(
    environment: CustomerEnvironment, recording: Recording, stored: [String: PolicyRecord],
    holders: [String: PartyRecord]
  ) {
    self.environment = environment
    self.recording = recording
    state = ImportState(stored: stored)
    self.holders = PartyFold(environment: environment, recording: recording, stored: holders)
  }

  /// Draws ids for so many rows, so that they ascend in the order of the rows.
  mutating func reserve(_ count: Int) {
    let fresh = state.freshCount(of: count)
    policyIDs = environment.identifiers(fresh, of: PolicyID.self).reversed()
    eventIDs = environment.identifiers(count, of: EventID.self).reversed()
    holders.reserve(fresh)
    state.reserveCapacity(count)
  }

  /// Takes the next row. Throws `IllegalTransition` if it may not follow on what is known.
  mutating func take(_ facts: PolicyFacts, payload: [UInt8]) throws {
    let key = facts.reference.key
    guard let record = state.record(key) else {
      let id = policyIDs.popLast() ?? PolicyID(clock: environment.clock, random: environment.random)
      let record = PolicyRecord.created(id, holder: try holder(facts.policyholder), payload: payload, recording)
      let event = try environment.policyChanged(
        record, previous: nil, effective: facts.issueDate, recording, id: eventIDs.popLast())
      return state.create(key, record, facts, event)
    }
    guard payload != record.payload else { return state.leave() }
    let old = try state.facts(key) ?? record.facts()
    try facts.checkMirrors(old)
    // One that was recorded by hand may have a policyholder of another source: it stays, unless the key changes.
    let holderID = facts.policyholder == old.policyholder ? record.partyID : try holder(facts.policyholder)
    let changed = record.changed(holder: holderID, payload: payload, recording)
    let effective = facts.state == old.state ? nil : facts.endDate
    let event = try environment.policyChanged(
      changed, previous: old.state, effective: effective, recording, id: eventIDs.popLast())
    state.change(key, changed, facts, event)
  }

  /// The party with this key, created if it is not there.
  private mutating func holder(_ reference: SourceReference) throws -> PartyID {
    if let known = holders.state.record(reference.key) { return known.partyID }
    let facts = PartyFacts.unnamed(reference)
    return try holders.create(facts, payload: try Party(facts).serialized()).partyID
  }

  /// Adds all that is to be written to a batch.
  func append(to batch: inout Batch) {
    var writes = PolicyWrites()
    for entry in state.entries {
      if let stored = entry.stored {
        writes.update(entry.record, from: stored)
      } else {
        writes.create(entry.record, entry.facts.reference)
      }
    }
    for event in state.events { writes.add(event) }
    holders.append(to: &batch)
    writes.append(to: &batch)
  }
}
