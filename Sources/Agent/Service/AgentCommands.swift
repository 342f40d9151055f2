import API
import AgentDomain
import Core
import RPCCore
import Storage
import UseCases

/// Takes agents on, gives them licences and moves them from state to state.
struct AgentCommands: Sendable {
  let environment: Environment

  private var repository: AgentRepository { AgentRepository(database: environment.database) }

  /// CreateAgent.
  func create(_ request: CreateAgentRequest, _ context: ServerContext) async throws -> Agent {
    var given = request.agent ?? Agent()
    (given.state, given.leaveDate) = (.unspecified, nil)
    let facts = try InvalidRecord.inside("agent") {
      var faults = ViolationList()
      let facts = AgentFacts(given, faults: &faults)
      facts.validate(into: &faults)
      try faults.throwIfAny()
      return facts
    }
    let message = Agent(facts)
    let identity =
      request.validateOnly
      ? nil
      : try RequestIdentity(request.requestID, content: CreateAgentRequest(agent: message), context: context)
    return try await environment.answer(identity) {
      if let existing = try await repository.agent(code: facts.code) {
        throw RPCError(.alreadyExists, "agent \(existing.id) has the code \(facts.code) already")
      }
      try await checkPlace(facts)
      try await checkFree(facts.licences) { "agent.licences[\($0)].number" }
      if request.validateOnly { return (Batch(), message) }
      let recording = environment.recording(context)
      let record = StoredRecord<Agent>(environment.identifier(), message, recording)
      let insertion = Statement(
        """
        INSERT INTO agent (agent_id, code, branch_id, team_id, version, payload, create_time, update_time)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        """,
        try [
          .id(record.id), .text(facts.code), .id(facts.branchID), .optional(facts.teamID?.description),
        ] + record.values(),
        expect: .unique(orFail: BatchConflict(.alreadyExists, subject: "agent")))
      let event = try changed(record, previous: nil, effective: facts.joinDate, recording)
      let licences = facts.licences.map { Self.insertion($0, of: record.id) }
      return (Batch([insertion] + licences, events: [event]), record.message)
    }
  }

  /// AddLicence.
  func addLicence(_ request: AddLicenceRequest, _ context: ServerContext) async throws -> Agent {
    let agentID = try AgentID.named(request.agentID, "agent_id")
    let licence = try InvalidRecord.inside("licence") {
      var faults = ViolationList()
      let licence = AgentDomain.Licence(request.licence ?? API.Licence(), faults: &faults)
      licence.validate(into: &faults)
      try faults.throwIfAny()
      return licence
    }
    var content = request
    content.requestID = ""
    let identity = try RequestIdentity(request.requestID, content: content, context: context)
    return try await environment.answer(identity) {
      let record = try await current(agentID, etag: request.etag)
      let facts = try record.facts()
      let after = try facts.adding(licence)
      try await checkFree([licence]) { _ in "licence.number" }
      let recording = environment.recording(context)
      let next = record.changed(to: Agent(after), recording)
      let event = try changed(next, previous: facts.state, effective: nil, recording)
      let statements = [
        try next.update(of: "agent", key: "agent_id", from: record), Self.insertion(licence, of: agentID),
      ]
      return (Batch(statements, events: [event]), next.message)
    }
  }

  /// ChangeAgentState.
  func changeState(_ request: ChangeAgentStateRequest, _ context: ServerContext) async throws -> Agent {
    let agentID = try AgentID.named(request.agentID, "agent_id")
    var faults = ViolationList()
    let state = AgentDomain.AgentState.required(request.state.rawValue, "state", standIn: .active, faults: &faults)
    let day = CivilDate.read(request.effectiveDate, "effective_date", faults: &faults)
    faults.check(request.reason, length: 0...256, "reason")
    try faults.throwIfAny()
    var content = request
    content.requestID = ""
    let identity = try RequestIdentity(request.requestID, content: content, context: context)
    return try await environment.answer(identity) {
      let record = try await current(agentID, etag: request.etag)
      let recording = environment.recording(context)
      let effective = day ?? CivilDate.inShanghai(at: recording.time)
      let facts = try record.facts()
      let after = try facts.moved(to: state, effective: effective)
      let next = record.changed(to: Agent(after), recording)
      let event = try changed(
        next, previous: facts.state, effective: effective, reason: request.reason, recording)
      return (Batch([try next.update(of: "agent", key: "agent_id", from: record)], events: [event]), next.message)
    }
  }

  private func current(_ id: AgentID, etag: String) async throws -> StoredRecord<Agent> {
    guard let record = try await repository.agent(id) else { throw RPCError.noAgent(id.description) }
    try Etag.check(etag, isCurrent: record.version, of: "agent \(id)")
    return record
  }

  /// Fails unless the branch is there and the team is one of it.
  private func checkPlace(_ facts: AgentFacts) async throws {
    guard try await repository.branch(facts.branchID) != nil else {
      throw RPCError.noBranch(facts.branchID.description)
    }
    guard let teamID = facts.teamID else { return }
    guard let branch = try await repository.branch(of: teamID) else { throw RPCError.noTeam(teamID.description) }
    if branch != facts.branchID { throw RPCError.invalid("agent.team_id", "is a team of another branch") }
  }

  /// Fails with ALREADY_EXISTS if a number belongs to an agent, this one or another.
  private func checkFree(_ licences: [AgentDomain.Licence], field: (Int) -> String) async throws {
    let holders = try await repository.holders(ofLicences: licences.map(\.number))
    for (index, licence) in licences.enumerated() {
      if let holder = holders[licence.number] {
        throw RPCError(.alreadyExists, "\(field(index)) belongs to agent \(holder) already")
      }
    }
  }

  private func changed(
    _ record: StoredRecord<Agent>, previous: AgentDomain.AgentState?, effective: CivilDate?, reason: String = "",
    _ recording: Recording
  ) throws -> OutboxEvent {
    let payload = AgentChanged(
      agent: record.message, previousState: previous.map { API.AgentState($0) } ?? .unspecified, reason: reason)
    return try environment.event(
      payload, about: record.id.description, version: record.version,
      effective: effective.map { Timestamp.midnightInShanghai($0) }, recording)
  }

  private static func insertion(_ licence: AgentDomain.Licence, of agent: AgentID) -> Statement {
    Statement(
      "INSERT INTO licence (number, agent_id) VALUES (?, ?)", [.text(licence.number), .id(agent)],
      expect: .unique(orFail: BatchConflict(.alreadyExists, subject: "licence")))
  }
}
