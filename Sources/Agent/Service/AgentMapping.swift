import API
import AgentDomain
import Core
import UseCases

// Branches, teams and agents between the wire (API) and the rules (AgentDomain).

extension BranchFacts {
  /// The facts of a branch as it came, id and times left out.
  init(_ branch: Branch) { self.init(code: branch.code, name: branch.name, region: branch.region) }
}

extension Branch {
  /// The facts as a message without id, etag and times: what is stored.
  init(_ facts: BranchFacts) { self.init(code: facts.code, name: facts.name, region: facts.region) }
}

extension TeamFacts {
  /// The facts of a team as it came; notes a branch that is none.
  init(_ team: Team, faults: inout ViolationList) {
    self.init(branchID: BranchID.required(team.branchID, "branch_id", faults: &faults), name: team.name)
  }
}

extension Team {
  /// The facts as a message without id, etag and times: what is stored.
  init(_ facts: TeamFacts) { self.init(branchID: facts.branchID.description, name: facts.name) }
}

extension AgentFacts {
  /// The facts of an agent as it came; notes what has no place in the domain. What stands in for it is never kept.
  init(_ agent: Agent, faults: inout ViolationList) {
    self.init(
      code: agent.code, name: agent.name,
      type: AgentDomain.AgentType.required(agent.type.rawValue, "type", standIn: .own, faults: &faults),
      branchID: BranchID.required(agent.branchID, "branch_id", faults: &faults),
      teamID: TeamID.read(agent.teamID, "team_id", faults: &faults),
      partnerID: PartnerID.read(agent.partnerID, "partner_id", faults: &faults), grade: agent.grade,
      state: AgentDomain.AgentState.read(agent.state.rawValue, "state", faults: &faults) ?? .active,
      joinDate: CivilDate.required(agent.joinDate, "join_date", faults: &faults),
      leaveDate: CivilDate.read(agent.leaveDate, "leave_date", faults: &faults),
      licences: agent.licences.enumerated().map { index, licence in
        AgentDomain.Licence(licence, "licences[\(index)].", faults: &faults)
      })
  }
}

extension Agent {
  /// The facts as a message without id, etag and times: what is stored.
  init(_ facts: AgentFacts) {
    self.init(
      code: facts.code, name: facts.name, type: API.AgentType(rawValue: Int32(facts.type.rawValue)),
      branchID: facts.branchID.description, teamID: facts.teamID?.description ?? "",
      partnerID: facts.partnerID?.description ?? "", grade: facts.grade, state: API.AgentState(facts.state),
      joinDate: CalendarDate(facts.joinDate), leaveDate: facts.leaveDate.map { CalendarDate($0) },
      licences: facts.licences.inOrder.map { API.Licence($0) })
  }
}

extension API.AgentState {
  /// A state on the wire.
  init(_ state: AgentDomain.AgentState) { self.init(rawValue: Int32(state.rawValue)) }
}

extension AgentDomain.Licence {
  /// A licence as it came; notes what has no place in the domain. `prefix` is where it stands in its record.
  init(_ licence: API.Licence, _ prefix: String = "", faults: inout ViolationList) {
    self.init(
      number: licence.number,
      line: AgentDomain.LicenceLine.required(
        licence.line.rawValue, prefix + "line", standIn: .life, faults: &faults),
      region: licence.region,
      validFrom: CivilDate.required(licence.validFrom, prefix + "valid_from", faults: &faults),
      validUntil: CivilDate.read(licence.validUntil, prefix + "valid_until", faults: &faults))
  }
}

extension API.Licence {
  /// A licence on the wire.
  init(_ licence: AgentDomain.Licence) {
    self.init(
      number: licence.number, line: API.LicenceLine(rawValue: Int32(licence.line.rawValue)), region: licence.region,
      validFrom: CalendarDate(licence.validFrom), validUntil: licence.validUntil.map { CalendarDate($0) })
  }
}
