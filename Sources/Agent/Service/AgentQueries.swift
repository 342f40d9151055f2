import API
import Core
import RPCCore
import Storage
import UseCases

/// Reads branches, teams, agents and activities.
struct AgentQueries: Sendable {
  let database: any Database

  private var repository: AgentRepository { AgentRepository(database: database) }

  /// GetAgent.
  func agent(_ request: GetAgentRequest) async throws -> Agent {
    let id = try AgentID.named(request.agentID, "agent_id")
    guard let record = try await repository.agent(id) else { throw RPCError.noAgent(id.description) }
    return record.message
  }

  /// ListBranches.
  func branches(_ request: ListBranchesRequest) async throws -> ListBranchesResponse {
    let page = try PageRequest(
      size: request.pageSize, token: request.pageToken, standard: 100, maximum: 1_000, query: ["branches"])
    let list: (records: [StoredRecord<Branch>], next: String) = try await records("branch", page)
    return ListBranchesResponse(branches: try list.records.map { $0.message }, nextPageToken: list.next)
  }

  /// ListTeams.
  func teams(_ request: ListTeamsRequest) async throws -> ListTeamsResponse {
    let page = try PageRequest(
      size: request.pageSize, token: request.pageToken, standard: 100, maximum: 1_000,
      query: ["teams", request.branchID])
    let branch = request.branchID.isEmpty ? nil : try BranchID.named(request.branchID, "branch_id")
    let list: (records: [StoredRecord<Team>], next: String) = try await records(
      "team", page, where: branch.map { ("branch_id", .id($0)) })
    return ListTeamsResponse(teams: try list.records.map { $0.message }, nextPageToken: list.next)
  }

  /// ListAgents.
  func agents(_ request: ListAgentsRequest) async throws -> ListAgentsResponse {
    let page = try PageRequest(
      size: request.pageSize, token: request.pageToken, standard: 50, maximum: 1_000,
      query: ["agents", request.branchID, request.teamID])
    if !request.branchID.isEmpty, !request.teamID.isEmpty {
      throw RPCError.badRequest(
        ["branch_id", "team_id"].map { FieldViolation($0, "at most one of the two filters may be given") })
    }
    var filter: (column: String, value: SQLValue)?
    if !request.branchID.isEmpty { filter = ("branch_id", .id(try BranchID.named(request.branchID, "branch_id"))) }
    if !request.teamID.isEmpty { filter = ("team_id", .id(try TeamID.named(request.teamID, "team_id"))) }
    let list: (records: [StoredRecord<Agent>], next: String) = try await records("agent", page, where: filter)
    return ListAgentsResponse(agents: try list.records.map { $0.message }, nextPageToken: list.next)
  }

  /// ListActivities.
  func activities(_ request: ListActivitiesRequest) async throws -> ListActivitiesResponse {
    let agentID = try AgentID.named(request.agentID, "agent_id")
    let page = try PageRequest(
      size: request.pageSize, token: request.pageToken, standard: 50, maximum: 1_000,
      query: ["activities", request.agentID])
    let place = try ActivityPlace(page)
    guard try await repository.agent(agentID) != nil else { throw RPCError.noAgent(agentID.description) }
    let rows = try await database.query(
      Statement(
        """
        SELECT activity_time, activity_id, payload FROM activity
        WHERE agent_id = ? AND (activity_time, activity_id) < (?, ?)
        ORDER BY activity_time DESC, activity_id DESC LIMIT ?
        """,
        [.id(agentID), .integer(place.microseconds), .text(place.id), .integer(Int64(page.size + 1))]),
      access: .scan)
    let records = try rows.map {
      (place: ActivityPlace(microseconds: try $0.integer(0), id: try $0.text(1)), payload: try $0.blob(2))
    }
    let cut = page.cut(records) { $0.payload.count }
    let messages = try cut.items.map { record in
      var message = try Activity(serialized: record.payload)
      message.activityID = record.place.id
      return message
    }
    let next = cut.hasMore ? cut.items.last.map { page.token(after: $0.place.fields) } : nil
    return ListActivitiesResponse(activities: messages, nextPageToken: next ?? "")
  }

  /// A page of a table in order of creation, of the rows with this value, and the token behind it.
  private func records<Content>(
    _ table: String, _ page: PageRequest, where filter: (column: String, value: SQLValue)? = nil
  ) async throws -> (records: [StoredRecord<Content>], next: String) {
    let condition = filter.map { "\($0.column) = ? AND " } ?? ""
    let rows = try await database.query(
      Statement(
        """
        SELECT \(table)_id, \(StoredRecord<Content>.columns) FROM \(table)
        WHERE \(condition)\(table)_id > ? ORDER BY \(table)_id LIMIT ?
        """,
        (filter.map { [$0.value] } ?? []) + [.text(try page.textPlace()), .integer(Int64(page.size + 1))]),
      access: .scan)
    let cut = page.cut(try rows.map { try StoredRecord<Content>(row: $0) }) { $0.byteCount }
    return (cut.items, cut.hasMore ? page.token(after: cut.items.last?.id.description ?? "") : "")
  }
}

/// A place in an agent's activities, latest first.
struct ActivityPlace: Sendable {
  let microseconds: Int64
  let id: String

  init(microseconds: Int64, id: String) {
    self.microseconds = microseconds
    self.id = id
  }

  /// The last place that the page's token names. Throws INVALID_ARGUMENT if it names none.
  init(_ page: PageRequest) throws {
    guard let fields = page.place else {
      self.init(microseconds: .max, id: "")
      return
    }
    guard fields.count == 2, case .integer(let time) = fields[0], case .text(let id) = fields[1] else {
      throw page.malformed
    }
    self.init(microseconds: time, id: id)
  }

  /// As a page token holds it.
  var fields: [OpaqueToken.Field] { [.integer(microseconds), .text(id)] }
}
