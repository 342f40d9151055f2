import API
import Core
import CustomerDomain
import RPCCore
import Storage
import UseCases

/// Creates and changes single parties.
struct PartyCommands: Sendable {
  let environment: CustomerEnvironment

  /// CreateParty.
  func create(_ request: CreatePartyRequest, _ context: ServerContext) async throws -> Party {
    let facts = try InvalidRecord.inside("party") {
      var faults = ViolationList()
      let facts = PartyFacts(request.party ?? Party(), faults: &faults)
      facts.validate(into: &faults)
      try faults.throwIfAny()
      return facts
    }
    let message = Party(facts)
    let content = CreatePartyRequest(party: message)
    let identity =
      request.validateOnly
      ? nil : try RequestIdentity(request.requestID, content: content, context: context)
    return try await environment.answer(identity) {
      if let existing = try await repository.party(facts.reference) {
        throw RPCError(
          .alreadyExists, "source \(facts.reference.source) has this source_key already: \(existing.partyID)")
      }
      if request.validateOnly { return (Batch(), message) }
      return try creation(facts, message, context)
    }
  }

  private func creation(
    _ facts: PartyFacts, _ message: Party, _ context: ServerContext
  ) throws -> (Batch, Party) {
    let recording = environment.recording(context)
    let record = environment.created(
      facts, partyID: PartyID(clock: environment.clock, random: environment.random),
      customerID: CustomerID(clock: environment.clock, random: environment.random),
      payload: try message.serialized(), recording)
    var writes = PartyWrites()
    writes.create(record, facts)
    writes.add(try environment.partyChanged(record, facts, changedFields: nil, recording))
    var batch = Batch()
    writes.append(to: &batch)
    return (batch, try record.message())
  }

  /// UpdateParty.
  func update(_ request: UpdatePartyRequest, _ context: ServerContext) async throws -> Party {
    let message = request.party ?? Party()
    let partyID = try PartyID.named(message.partyID, "party.party_id")
    let mask = try PartyUpdateMask(paths: request.updateMask?.paths ?? [])
    let values = try InvalidRecord.inside("party") {
      var faults = ViolationList()
      let values = PartyUpdate(message, faults: &faults)
      try faults.throwIfAny()
      return values
    }
    var content = request
    content.requestID = ""
    let identity =
      request.validateOnly
      ? nil : try RequestIdentity(request.requestID, content: content, context: context)
    return try await environment.answer(identity) {
      guard let record = try await repository.party(partyID) else { throw RPCError.noParty(partyID.description) }
      try Etag.check(message.etag, isCurrent: record.version, of: "party \(partyID)")
      return try change(record, request.validateOnly, context) { old in
        try InvalidRecord.inside("party") { try old.updated(with: values, mask: mask) }
      }
    }
  }

  private func change(
    _ record: PartyRecord, _ validateOnly: Bool, _ context: ServerContext, _ update: (PartyFacts) throws -> PartyFacts
  ) throws -> (Batch, Party) {
    let old = try record.facts()
    let facts = try update(old)
    let payload = try Party(facts).serialized()
    // Nothing changes: no event, and the etag stays as it is.
    if payload == record.payload { return (Batch(), try record.message()) }
    let recording = environment.recording(context)
    let changed = environment.changed(record, from: old, to: facts, payload: payload, recording)
    if validateOnly { return (Batch(), try changed.message()) }
    var writes = PartyWrites()
    writes.update(changed, facts, from: record)
    writes.add(try environment.partyChanged(changed, facts, changedFields: old.changedFields(to: facts), recording))
    var batch = Batch()
    writes.append(to: &batch)
    return (batch, try changed.message())
  }

  private var repository: PartyRepository { PartyRepository(database: environment.database) }
}
