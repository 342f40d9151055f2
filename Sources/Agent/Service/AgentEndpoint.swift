import API
import RPCCore
import UseCases

/// mainstay.agent.v1.AgentService.
struct AgentEndpoint: AgentServiceHandler {
  let organisation: OrganisationCommands
  let agents: AgentCommands
  let activities: ActivityCommands
  let queries: AgentQueries

  init(environment: Environment) {
    organisation = OrganisationCommands(environment: environment)
    agents = AgentCommands(environment: environment)
    activities = ActivityCommands(environment: environment)
    queries = AgentQueries(database: environment.database)
  }

  func createBranch(_ request: CreateBranchRequest, _ context: ServerContext) async throws -> Branch {
    try await organisation.createBranch(request, context)
  }

  func listBranches(_ request: ListBranchesRequest, _ context: ServerContext) async throws -> ListBranchesResponse {
    try await queries.branches(request)
  }

  func createTeam(_ request: CreateTeamRequest, _ context: ServerContext) async throws -> Team {
    try await organisation.createTeam(request, context)
  }

  func listTeams(_ request: ListTeamsRequest, _ context: ServerContext) async throws -> ListTeamsResponse {
    try await queries.teams(request)
  }

  func createAgent(_ request: CreateAgentRequest, _ context: ServerContext) async throws -> Agent {
    try await agents.create(request, context)
  }

  func getAgent(_ request: GetAgentRequest, _ context: ServerContext) async throws -> Agent {
    try await queries.agent(request)
  }

  func listAgents(_ request: ListAgentsRequest, _ context: ServerContext) async throws -> ListAgentsResponse {
    try await queries.agents(request)
  }

  func addLicence(_ request: AddLicenceRequest, _ context: ServerContext) async throws -> Agent {
    try await agents.addLicence(request, context)
  }

  func changeAgentState(_ request: ChangeAgentStateRequest, _ context: ServerContext) async throws -> Agent {
    try await agents.changeState(request, context)
  }

  func recordActivities(
    _ request: RecordActivitiesRequest, _ context: ServerContext
  ) async throws -> RecordActivitiesResponse {
    try await activities.record(request, context)
  }

  func listActivities(
    _ request: ListActivitiesRequest, _ context: ServerContext
  ) async throws -> ListActivitiesResponse {
    try await queries.activities(request)
  }
}
