import API
import AgentService
import MainstayTesting
import RPCCore

typealias TestService = InProcessService<AgentServiceApplication>

// The service's calls by their names, for tests.

extension TestService {
  func branch(_ code: String = "GD", name: String = "广东分公司", requestID: String = "") async throws -> Branch {
    try await unary(
      AgentServiceMethods.createBranch,
      CreateBranchRequest(branch: Branch(code: code, name: name, region: "广东省"), requestID: requestID))
  }

  func team(_ name: String, in branchID: String, requestID: String = "") async throws -> Team {
    try await unary(
      AgentServiceMethods.createTeam,
      CreateTeamRequest(team: Team(branchID: branchID, name: name), requestID: requestID))
  }

  func create(_ agent: Agent, requestID: String = "", validateOnly: Bool = false) async throws -> Agent {
    try await unary(
      AgentServiceMethods.createAgent,
      CreateAgentRequest(agent: agent, requestID: requestID, validateOnly: validateOnly))
  }

  func agent(_ id: String) async throws -> Agent {
    try await unary(AgentServiceMethods.getAgent, GetAgentRequest(agentID: id))
  }

  func add(_ licence: Licence, to id: String, etag: String = "", requestID: String = "") async throws -> Agent {
    try await unary(
      AgentServiceMethods.addLicence,
      AddLicenceRequest(agentID: id, licence: licence, etag: etag, requestID: requestID))
  }

  func change(
    _ id: String, to state: AgentState, on date: CalendarDate? = nil, reason: String = "", etag: String = "",
    requestID: String = ""
  ) async throws -> Agent {
    try await unary(
      AgentServiceMethods.changeAgentState,
      ChangeAgentStateRequest(
        agentID: id, state: state, effectiveDate: date, reason: reason, etag: etag, requestID: requestID))
  }

  func record(_ activities: [Activity], requestID: String = "") async throws -> [String] {
    let reply: RecordActivitiesResponse = try await unary(
      AgentServiceMethods.recordActivities,
      RecordActivitiesRequest(activities: activities, requestID: requestID))
    return reply.activityIDs
  }

  func activities(of id: String, pageSize: Int32 = 0, pageToken: String = "") async throws -> ListActivitiesResponse {
    try await unary(
      AgentServiceMethods.listActivities,
      ListActivitiesRequest(agentID: id, pageSize: pageSize, pageToken: pageToken))
  }

  func agents(
    branch: String = "", team: String = "", pageSize: Int32 = 0, pageToken: String = ""
  ) async throws -> ListAgentsResponse {
    try await unary(
      AgentServiceMethods.listAgents,
      ListAgentsRequest(branchID: branch, teamID: team, pageSize: pageSize, pageToken: pageToken))
  }
}

func agent(_ code: String, in branchID: String, team: String = "", licences: [Licence] = []) -> Agent {
  Agent(
    code: code, name: "王丽华", type: .own, branchID: branchID, teamID: team, grade: "3",
    joinDate: CalendarDate(year: 2026, month: 1, day: 1), licences: licences)
}

func licence(_ number: String, from year: Int32 = 2026) -> Licence {
  Licence(number: number, line: .life, region: "广东省", validFrom: CalendarDate(year: year, month: 1, day: 1))
}

func visit(_ agentID: String, at seconds: Int64, notes: String = "") -> Activity {
  Activity(
    agentID: agentID, kind: .visit, outcome: .followUp, activityTime: GoogleTimestamp(seconds: seconds),
    durationMinutes: 30, notes: notes)
}
