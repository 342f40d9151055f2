import API
import AgentDomain
import Core
import RPCCore
import Storage
import UseCases

/// Founds branches and teams.
struct OrganisationCommands: Sendable {
  let environment: Environment

  private var repository: AgentRepository { AgentRepository(database: environment.database) }

  /// CreateBranch.
  func createBranch(_ request: CreateBranchRequest, _ context: ServerContext) async throws -> Branch {
    let facts = BranchFacts(request.branch ?? Branch())
    try InvalidRecord.inside("branch") {
      var faults = ViolationList()
      facts.validate(into: &faults)
      try faults.throwIfAny()
    }
    let message = Branch(facts)
    let identity = try RequestIdentity(
      request.requestID, content: CreateBranchRequest(branch: message), context: context)
    return try await environment.answer(identity) {
      if let existing = try await repository.branch(code: facts.code) {
        throw RPCError(.alreadyExists, "branch \(existing.id) has the code \(facts.code) already")
      }
      let recording = environment.recording(context)
      let record = StoredRecord<Branch>(environment.identifier(), message, recording)
      let insertion = Statement(
        "INSERT INTO branch (branch_id, code, version, payload, create_time, update_time) VALUES (?, ?, ?, ?, ?, ?)",
        try [.id(record.id), .text(facts.code)] + record.values(),
        expect: .unique(orFail: BatchConflict(.alreadyExists, subject: "branch")))
      let reply = record.message
      let event = try environment.event(
        BranchChanged(branch: reply), about: record.id.description, version: record.version, recording)
      return (Batch([insertion], events: [event]), reply)
    }
  }

  /// CreateTeam.
  func createTeam(_ request: CreateTeamRequest, _ context: ServerContext) async throws -> Team {
    let facts = try InvalidRecord.inside("team") {
      var faults = ViolationList()
      let facts = TeamFacts(request.team ?? Team(), faults: &faults)
      facts.validate(into: &faults)
      try faults.throwIfAny()
      return facts
    }
    let message = Team(facts)
    let identity = try RequestIdentity(request.requestID, content: CreateTeamRequest(team: message), context: context)
    return try await environment.answer(identity) {
      guard try await repository.branch(facts.branchID) != nil else {
        throw RPCError.noBranch(facts.branchID.description)
      }
      if let existing = try await repository.team(facts) {
        throw RPCError(.alreadyExists, "the branch has a team of this name already: \(existing)")
      }
      let recording = environment.recording(context)
      let record = StoredRecord<Team>(environment.identifier(), message, recording)
      let insertion = Statement(
        """
        INSERT INTO team (team_id, branch_id, name, version, payload, create_time, update_time)
        VALUES (?, ?, ?, ?, ?, ?, ?)
        """,
        try [.id(record.id), .id(facts.branchID), .text(facts.name)] + record.values(),
        expect: .unique(orFail: BatchConflict(.alreadyExists, subject: "team")))
      let reply = record.message
      let event = try environment.event(
        TeamChanged(team: reply), about: record.id.description, version: record.version, recording)
      return (Batch([insertion], events: [event]), reply)
    }
  }
}
