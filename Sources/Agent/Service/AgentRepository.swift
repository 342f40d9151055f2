import API
import AgentDomain
import Core
import Storage
import UseCases

/// Reads what writes must know, by key.
struct AgentRepository: Sendable {
  let database: any Database

  /// One agent.
  func agent(_ id: AgentID) async throws -> StoredRecord<Agent>? {
    try await record("agent", "agent_id", .id(id))
  }

  /// The agent with this staff number.
  func agent(code: String) async throws -> StoredRecord<Agent>? {
    try await record("agent", "code", .text(code))
  }

  /// One branch.
  func branch(_ id: BranchID) async throws -> StoredRecord<Branch>? {
    try await record("branch", "branch_id", .id(id))
  }

  /// The branch with this code.
  func branch(code: String) async throws -> StoredRecord<Branch>? {
    try await record("branch", "code", .text(code))
  }

  /// The branch of a team; nil if there is no such team.
  func branch(of team: TeamID) async throws -> BranchID? {
    try await database.row(Statement("SELECT branch_id FROM team WHERE team_id = ?", [.id(team)])).map { try $0.id(0) }
  }

  /// The branch's team of this name.
  func team(_ facts: TeamFacts) async throws -> TeamID? {
    try await database.row(
      Statement("SELECT team_id FROM team WHERE branch_id = ? AND name = ?", [.id(facts.branchID), .text(facts.name)])
    ).map { try $0.id(0) }
  }

  /// Who has the licences with these numbers, by number.
  func holders(ofLicences numbers: [String]) async throws -> [String: AgentID] {
    guard !numbers.isEmpty else { return [:] }
    let list = try Statement.list(numbers.map(SQLValue.text))
    let rows = try await database.query(
      Statement("SELECT number, agent_id FROM licence WHERE number IN (\(list.sql))", list.parameters), access: .point)
    return Dictionary(try rows.map { (try $0.text(0), try $0.id(1)) }, uniquingKeysWith: { first, _ in first })
  }

  /// Those of the agents that there are.
  func existing(_ agents: Set<AgentID>) async throws -> Set<AgentID> {
    let list = try Statement.list(agents.map { .id($0) })
    let rows = try await database.query(
      Statement("SELECT agent_id FROM agent WHERE agent_id IN (\(list.sql))", list.parameters), access: .scan)
    return Set(try rows.map { try $0.id(0) })
  }

  private func record<Content>(
    _ table: String, _ column: String, _ value: SQLValue
  ) async throws -> StoredRecord<Content>? {
    try await database.row(
      Statement("SELECT \(table)_id, \(StoredRecord<Content>.columns) FROM \(table) WHERE \(column) = ?", [value])
    ).map { try StoredRecord(row: $0) }
  }
}
