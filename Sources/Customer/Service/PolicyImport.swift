import API
import Core
import CustomerDomain
import RPCCore
import Storage

/// Takes policies of a source in bulk: one batch for each request. The rows count one after another, as in `PartyImport`. A
/// policyholder who is not known becomes a party of which only the key is known.
struct PolicyImport: Sendable {
  let environment: Environment

  /// Commits the rows that are right and says what became of each.
  func take(_ request: ImportPoliciesRequest, _ context: ServerContext) async throws -> ImportPoliciesResponse {
    try ImportLimits.check(source: request.source, rowCount: request.rows.count)
    let source = request.source
    let rows = request.rows.map { row in
      ImportRow(row.line) { () throws(InvalidRecord) in try Candidate(row, source: source) }
    }
    let candidates = rows.compactMap(\.candidate)
    return try await retryingConflicts {
      let stored = try await PolicyRepository(database: environment.database)
        .policies(source: source, keys: candidates.map(\.facts.reference.key))
      let holders = try await PartyRepository(database: environment.database)
        .parties(source: source, keys: Array(Set(candidates.map(\.facts.policyholder.key))))
      let recording = environment.recording(context)
      var fold = PolicyFold(
        environment: environment, recording: recording, stored: stored,
        holders: PartyFold(environment: environment, recording: recording, stored: holders))
      fold.reserve(candidates.count)
      let rejected = try ImportRow.rejected(rows) { try fold.take($0.facts, payload: $0.payload) }
      var batch = Batch()
      fold.append(to: &batch)
      if !batch.statements.isEmpty { _ = try await environment.database.commit(batch, lane: .bulk) }
      return ImportPoliciesResponse(
        created: fold.created, updated: fold.updated, unchanged: fold.unchanged, rejected: rejected)
    }
  }

  private struct Candidate {
    let facts: PolicyFacts
    let payload: [UInt8]

    init(_ row: ImportPolicyRow, source: String) throws(InvalidRecord) {
      guard let policy = row.policy else { throw InvalidRecord([Violation("policy", "is required")]) }
      var faults = ViolationList()
      facts = PolicyFacts(policy, source: source, faults: &faults)
      facts.validate(into: &faults)
      try faults.throwIfAny()
      payload = try encoded(Policy(facts))
    }
  }
}

/// Policies of one source as they stand after some rows, and what must be written to get there.
private struct PolicyFold {
  let environment: Environment
  let recording: Recording
  private(set) var created: Int64 = 0
  private(set) var updated: Int64 = 0
  private(set) var unchanged: Int64 = 0

  private let stored: [String: PolicyRecord]
  private var holders: PartyFold
  private var entries: [Entry] = []
  private var places: [String: Int] = [:]
  private var events: [OutboxEvent] = []
  private var policyIDs: [PolicyID] = []
  private var eventIDs: [EventID] = []

  private struct Entry {
    var record: PolicyRecord
    var facts: PolicyFacts
    let stored: PolicyRecord?
  }

  init(environment: Environment, recording: Recording, stored: [String: PolicyRecord], holders: PartyFold) {
    self.environment = environment
    self.recording = recording
    self.stored = stored
    self.holders = holders
  }

  mutating func reserve(_ count: Int) {
    let fresh = max(0, count - stored.count)
    policyIDs = environment.identifiers(fresh, of: PolicyID.self).reversed()
    eventIDs = environment.identifiers(count, of: EventID.self).reversed()
    holders.reserve(fresh)
    entries.reserveCapacity(count)
    events.reserveCapacity(count)
  }

  /// Takes the next row.
  mutating func take(_ facts: PolicyFacts, payload: [UInt8]) throws {
    let key = facts.reference.key
    if let place = places[key] {
      let entry = entries[place]
      try change(entry.record, { entry.facts }, to: facts, payload: payload, stored: entry.stored, place: place)
    } else if let record = stored[key] {
      try change(record, { try record.facts() }, to: facts, payload: payload, stored: record, place: nil)
    } else {
      let record = PolicyRecord.created(
        policyIDs.popLast() ?? PolicyID(clock: environment.clock, random: environment.random),
        holder: try holder(facts.policyholder), payload: payload, recording)
      events.append(
        try environment.policyChanged(
          record, previous: nil, effective: facts.issueDate, recording, id: eventIDs.popLast()))
      put(Entry(record: record, facts: facts, stored: nil), key, place: nil)
      created += 1
    }
  }

  private mutating func holder(_ reference: SourceReference) throws -> PartyID {
    if let known = holders.party(reference.key) { return known.partyID }
    let facts = PartyFacts.unnamed(reference)
    return try holders.create(facts, payload: try Party(facts).serialized()).partyID
  }

  private mutating func change(
    _ record: PolicyRecord, _ oldFacts: () throws -> PolicyFacts, to facts: PolicyFacts, payload: [UInt8],
    stored: PolicyRecord?, place: Int?
  ) throws {
    guard payload != record.payload else {
      unchanged += 1
      return
    }
    let old = try oldFacts()
    try facts.checkMirrors(old)
    // One that was recorded by hand may have a policyholder of another source: it stays, unless the key changes.
    let holderID = facts.policyholder == old.policyholder ? record.partyID : try holder(facts.policyholder)
    let changed = record.changed(holder: holderID, payload: payload, recording)
    let effective = facts.state == old.state ? nil : facts.endDate
    events.append(
      try environment.policyChanged(
        changed, previous: old.state, effective: effective, recording, id: eventIDs.popLast()))
    put(Entry(record: changed, facts: facts, stored: stored), facts.reference.key, place: place)
    updated += 1
  }

  private mutating func put(_ entry: Entry, _ key: String, place: Int?) {
    if let place {
      entries[place] = entry
    } else {
      places[key] = entries.count
      entries.append(entry)
    }
  }

  /// Adds all that is to be written to a batch.
  func append(to batch: inout Batch) {
    var writes = PolicyWrites()
    for entry in entries {
      if let stored = entry.stored {
        writes.update(entry.record, from: stored)
      } else {
        writes.create(entry.record, entry.facts.reference)
      }
    }
    for event in events { writes.add(event) }
    holders.append(to: &batch)
    writes.append(to: &batch)
  }
}
