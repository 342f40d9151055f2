import API
import Core
import CustomerDomain
import RPCCore
import Storage
import UseCases

/// Creates single policies and moves them from state to state.
struct PolicyCommands: Sendable {
  let environment: CustomerEnvironment

  /// CreatePolicy.
  func create(_ request: CreatePolicyRequest, _ context: ServerContext) async throws -> Policy {
    let given = request.policy ?? Policy()
    let facts = try InvalidRecord.inside("policy") {
      var faults = ViolationList()
      let facts = PolicyFacts(given, faults: &faults)
      if given.state != .unspecified { InitialStateAtCreation.check(facts.state, into: &faults) }
      facts.validate(into: &faults)
      try faults.throwIfAny()
      return facts
    }
    var message = Policy(facts)
    message.policyholderPartyID = given.policyholderPartyID
    let holder =
      given.policyholderPartyID.isEmpty
      ? nil : try PartyID.named(given.policyholderPartyID, "policy.policyholder_party_id")
    let identity =
      request.validateOnly
      ? nil : try RequestIdentity(request.requestID, content: CreatePolicyRequest(policy: message), context: context)
    return try await environment.answer(identity) {
      if let existing = try await repository.policy(facts.reference) {
        throw RPCError(
          .alreadyExists, "source \(facts.reference.source) has this source_key already: \(existing.policyID)")
      }
      try await requireSale(facts)
      var batch = Batch()
      let recording = environment.recording(context)
      let holderID = try await policyholder(holder, facts, recording, &batch)
      if request.validateOnly { return (Batch(), message) }
      let record = PolicyRecord.created(
        PolicyID(clock: environment.clock, random: environment.random), holder: holderID,
        payload: try Policy(facts).serialized(), recording)
      var writes = PolicyWrites()
      writes.create(record, facts.reference)
      writes.add(try environment.policyChanged(record, previous: nil, effective: facts.issueDate, recording))
      writes.append(to: &batch)
      return (batch, try record.message())
    }
  }

  /// A product that is known must be on sale on the day of issue. One that is not known is another system's affair.
  private func requireSale(_ facts: PolicyFacts) async throws {
    switch try await environment.products.sale(of: facts.productCode, through: facts.channel, on: facts.issueDate) {
    case .allowed, .unknown: return
    case .withdrawn:
      throw RPCError(.failedPrecondition, "product \(facts.productCode) is withdrawn: it is not sold any more")
    case .outsideWindows:
      let channel = facts.channel.map { API.Channel(rawValue: Int32($0.rawValue)).name.dropFirst("CHANNEL_".count) }
      throw RPCError(
        .failedPrecondition,
        "product \(facts.productCode) is not sold through \(channel ?? "any channel") on \(facts.issueDate), the issue_date"
      )
    }
  }

  /// The party that holds a new policy: the one that is named, else the source's with the policyholder's key, which is created if
  /// it is not there.
  private func policyholder(
    _ named: PartyID?, _ facts: PolicyFacts, _ recording: Recording, _ batch: inout Batch
  ) async throws -> PartyID {
    let parties = PartyRepository(database: environment.database)
    if let named {
      guard try await parties.party(named) != nil else { throw RPCError.noParty(named.description) }
      return named
    }
    if let known = try await parties.party(facts.policyholder) { return known.partyID }
    var fold = PartyFold(environment: environment, recording: recording, stored: [:])
    let holder = PartyFacts.unnamed(facts.policyholder)
    let record = try fold.create(holder, payload: try Party(holder).serialized())
    fold.append(to: &batch)
    return record.partyID
  }

  /// ChangePolicyState.
  func changeState(_ request: ChangePolicyStateRequest, _ context: ServerContext) async throws -> Policy {
    let policyID = try PolicyID.named(request.policyID, "policy_id")
    var faults = ViolationList()
    let state = CustomerDomain.PolicyState(request.state, "state", faults: &faults)
    let day = CivilDate.read(request.effectiveDate, "effective_date", faults: &faults)
    faults.check(request.reason, length: 0...256, "reason")
    try faults.throwIfAny()
    guard let state else { throw RPCError.invalid("state", "is required") }
    var content = request
    content.requestID = ""
    let identity =
      request.validateOnly
      ? nil : try RequestIdentity(request.requestID, content: content, context: context)
    return try await environment.answer(identity) {
      guard let record = try await repository.policy(policyID) else { throw RPCError.noPolicy(policyID.description) }
      try Etag.check(request.etag, isCurrent: record.version, of: "policy \(policyID)")
      let recording = environment.recording(context)
      let effective = day ?? CivilDate.inShanghai(at: recording.time)
      let old = try record.facts()
      let facts = try old.moved(to: state, effective: effective)
      let changed = record.changed(holder: record.partyID, payload: try Policy(facts).serialized(), recording)
      if request.validateOnly { return (Batch(), try changed.message()) }
      var writes = PolicyWrites()
      writes.update(changed, from: record)
      writes.add(
        try environment.policyChanged(
          changed, previous: old.state, effective: effective, reason: request.reason, recording))
      var batch = Batch()
      writes.append(to: &batch)
      return (batch, try changed.message())
    }
  }

  private var repository: PolicyRepository { PolicyRepository(database: environment.database) }
}
