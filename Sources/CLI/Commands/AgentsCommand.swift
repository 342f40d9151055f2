import API
import ArgumentParser

/// mainstay agents.
struct AgentsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "agents",
    abstract: "Takes agents on, lists and shows them and their branches.",
    discussion: """
      Examples:
        mainstay agents branches
        mainstay agents create A-100 --name 王丽华 --branch GD
        mainstay agents list --branch GD
      """,
    subcommands: [ListCommand.self, GetCommand.self, CreateCommand.self, BranchesCommand.self])

  struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list", abstract: "Lists agents in order of creation.",
      discussion: "Example:\n  mainstay agents list --branch GD --format csv")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @Option(help: "Only those of this branch, its code or brn_….") var branch: String?
    @Option(help: "Only those of this team, tem_….") var team: String?
    @Option(help: "How many at most; 0 lists all.") var limit = 0

    func validate() throws {
      if branch != nil, team != nil { throw ValidationError("Give one of --branch and --team.") }
    }

    func run() throws {
      let (branch, team) = (try branch.map { try connection.branchID($0) }, team)
      try connection.list(output, columns: AgentsCommand.columns, limit: limit, cells: AgentsCommand.cells) {
        session, pageSize, token in
        let reply = try await AgentServiceClient(channel: session.channel).listAgents(
          ListAgentsRequest(branchID: branch ?? "", teamID: team ?? "", pageSize: pageSize, pageToken: token),
          options: session.unaryOptions())
        return (reply.agents, reply.nextPageToken)
      }
    }
  }

  struct GetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "get", abstract: "Shows an agent.",
      discussion: "Example:\n  mainstay agents get agt_01J9ZQ6V6T3M3B5X0Y7N2K8R4D --format json")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "The agent's id, agt_….") var id: String

    func run() throws {
      let id = id
      let agent = try connection.withSession { session in
        try await AgentServiceClient(channel: session.channel).getAgent(
          GetAgentRequest(agentID: id), options: session.unaryOptions())
      }
      try AgentsCommand.show(agent, output)
    }
  }

  struct CreateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "create", abstract: "Takes an agent on.",
      discussion: "Example:\n  mainstay agents create A-100 --name 王丽华 --branch GD --join-date 2026-03-01")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "Staff number.") var code: String
    @Option(help: "Its name.") var name: String
    @Option(help: "Its branch: code or brn_….") var branch: String
    @Option(help: "A team of the branch, tem_….") var team: String?
    @Option(help: "own, independent, part-time, partner or staff.") var type = "own"
    @Option(help: "The firm of an agent of type partner, prt_….") var partner: String?
    @Option(help: "Seller grade.") var grade: String?
    @Option(help: "First day, 2026-03-01; without it today.") var joinDate: Day?

    func run() throws {
      guard let type = EnumNames.agentType(type) else {
        throw CommandFailure.usage("--type \(type) is none of own, independent, part-time, partner, staff")
      }
      let agent = Agent(
        code: code, name: name, type: type, branchID: try connection.branchID(branch), teamID: team ?? "",
        partnerID: partner ?? "", grade: grade ?? "",
        joinDate: (joinDate ?? .today).message)
      let created = try connection.withSession { session in
        try await AgentServiceClient(channel: session.channel).createAgent(
          CreateAgentRequest(agent: agent), options: session.unaryOptions())
      }
      try AgentsCommand.show(created, output)
    }
  }

  struct BranchesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "branches", abstract: "Lists branches in order of creation.",
      discussion: "Example:\n  mainstay agents branches --format csv")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
      try connection.list(
        output, columns: ["branch_id", "code", "name", "region"],
        cells: { (branch: Branch) in [branch.branchID, branch.code, branch.name, branch.region] },
        { session, pageSize, token in try await session.branches(pageSize: pageSize, token: token) })
    }
  }

  private static let columns = [
    "agent_id", "code", "name", "type", "state", "branch_id", "team_id", "join_date", "licences",
  ]

  private static let cells: @Sendable (Agent) -> [String] = { agent in
    [
      agent.agentID, agent.code, agent.name, String(agent.type.name.dropFirst("AGENT_TYPE_".count)),
      String(agent.state.name.dropFirst("AGENT_STATE_".count)), agent.branchID, agent.teamID,
      agent.joinDate?.isoText ?? "", agent.licences.map(\.number).joined(separator: " "),
    ]
  }

  private static func show(_ agent: Agent, _ output: OutputOptions) throws {
    try output.show(agent, columns: columns, cells: cells)
  }
}

extension ConnectionOptions {
  /// The id of the branch that a person names: an id as it is, else the one with this code.
  fileprivate func branchID(_ text: String) throws -> String {
    if text.hasPrefix("brn_") { return text }
    let found = try withSession { session in
      var token = ""
      repeat {
        let (branches, next) = try await session.branches(pageSize: 1_000, token: token)
        if let branch = branches.first(where: { $0.code == text }) { return branch.branchID }
        token = next
      } while !token.isEmpty
      return ""
    }
    if found.isEmpty { throw CommandFailure("no branch has the code \(text); \"mainstay agents branches\" lists them") }
    return found
  }
}

extension Session {
  fileprivate func branches(pageSize: Int32, token: String) async throws -> ([Branch], String) {
    let reply = try await AgentServiceClient(channel: channel).listBranches(
      ListBranchesRequest(pageSize: pageSize, pageToken: token), options: unaryOptions())
    return (reply.branches, reply.nextPageToken)
  }
}
