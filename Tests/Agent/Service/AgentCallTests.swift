import API
import MainstayTesting
import RPCCore
import Testing

@Suite struct AgentCallTests {
  @Test func anAgentIsCreatedActiveAndReadBack() async throws {
    let service = try await TestService()
    let branch = try await service.branch().branchID
    let team = try await service.team("一队", in: branch).teamID
    var asked = agent("A1", in: branch, team: team, licences: [licence("L2", from: 2027), licence("L1")])
    // Given by the service, whatever the caller says.
    (asked.state, asked.leaveDate, asked.agentID) = (.left, CalendarDate(year: 2026, month: 2, day: 1), "agt_x")
    let created = try await service.create(asked)
    #expect(created.agentID.hasPrefix("agt_") && created.state == .active && created.leaveDate == nil)
    #expect(created.licences.map(\.number) == ["L1", "L2"])
    #expect(created.createTime == created.updateTime && created.createTime != nil)
    #expect(try await service.agent(created.agentID) == created)
  }

  @Test func whatIsOnlyValidatedIsNotKept() async throws {
    let service = try await TestService()
    let branch = try await service.branch().branchID
    let seen = try await service.create(agent("A1", in: branch), requestID: "r", validateOnly: true)
    #expect(seen.agentID.isEmpty && seen.state == .active)
    #expect(try await service.agents().agents == [])
    let bad = await failure { try await service.create(agent("", in: branch), validateOnly: true) }
    #expect(bad?.fields == ["agent.code"])
  }

  @Test func everyBadFieldIsNamed() async throws {
    let service = try await TestService()
    let given = Agent(
      code: "A 1", type: AgentType(rawValue: 99), branchID: "x", teamID: "y", partnerID: "z",
      joinDate: CalendarDate(year: 2026, month: 2, day: 30), licences: [Licence()])
    let error = await failure { try await service.create(given) }
    #expect(error?.code == .invalidArgument)
    #expect(
      Set(error?.fields ?? [])
        == Set(
          ["code", "name", "type", "branch_id", "team_id", "partner_id", "join_date"].map { "agent." + $0 }
            + ["number", "line", "region", "valid_from"].map { "agent.licences[0]." + $0 }))
  }

  @Test func codesAndLicencesAreTakenOnceAmongAllAgents() async throws {
    let service = try await TestService()
    let branch = try await service.branch().branchID
    let first = try await service.create(agent("A1", in: branch, licences: [licence("L1")]))
    #expect(await failure { try await service.create(agent("A1", in: branch)) }?.code == .alreadyExists)
    let second = await failure { try await service.create(agent("A2", in: branch, licences: [licence("L1")])) }
    #expect(second?.code == .alreadyExists && second?.message.contains(first.agentID) == true)
    let other = try await service.create(agent("A2", in: branch))
    #expect(await failure { try await service.add(licence("L1"), to: other.agentID) }?.code == .alreadyExists)
    #expect(await failure { try await service.add(licence("L1"), to: first.agentID) }?.code == .alreadyExists)
    #expect(try await service.number("SELECT count(*) FROM licence") == 1)
  }

  @Test func ofLicencesGivenAtTheSameTimeOneIsKept() async throws {
    let service = try await TestService()
    let branch = try await service.branch().branchID
    var agents: [String] = []
    for number in 0..<6 { agents.append(try await service.create(agent("A\(number)", in: branch)).agentID) }
    let codes = await withTaskGroup(of: StatusCode?.self) { group in
      for id in agents { group.addTask { await failure { try await service.add(licence("L"), to: id) }?.code } }
      return await group.reduce(into: [StatusCode?]()) { $0.append($1) }
    }
    #expect(codes.filter { $0 == nil }.count == 1 && codes.filter { $0 == .alreadyExists }.count == 5)
  }

  @Test func anAgentWorksInABranchAndATeamOfIt() async throws {
    let service = try await TestService()
    let (first, second) = (try await service.branch("GD").branchID, try await service.branch("HN").branchID)
    let team = try await service.team("一队", in: second).teamID
    let noBranch = await failure { try await service.create(agent("A", in: "brn_00000000000000000000000000")) }
    #expect(noBranch?.code == .notFound)
    let noTeam = await failure {
      try await service.create(agent("A", in: first, team: "tem_00000000000000000000000000"))
    }
    #expect(noTeam?.code == .notFound)
    #expect(await failure { try await service.create(agent("A", in: first, team: team)) }?.fields == ["agent.team_id"])
  }

  @Test func aRepetitionGetsTheFirstAnswer() async throws {
    let service = try await TestService()
    let branch = try await service.branch().branchID
    let created = try await service.create(agent("A1", in: branch), requestID: "r1")
    let added = try await service.add(licence("L1"), to: created.agentID, requestID: "r2")
    let suspended = try await service.change(created.agentID, to: .suspended, requestID: "r3")
    #expect(try await service.create(agent("A1", in: branch), requestID: "r1") == created)
    #expect(try await service.add(licence("L1"), to: created.agentID, requestID: "r2") == added)
    #expect(try await service.change(created.agentID, to: .suspended, requestID: "r3") == suspended)
    #expect(try await service.outbox().filter { $0.aggregate == created.agentID }.map(\.version) == [1, 2, 3])
    let other = await failure { try await service.change(created.agentID, to: .left, requestID: "r3") }
    #expect(other?.fields == ["request_id"])
  }

  @Test func anOldEtagIsRefused() async throws {
    let service = try await TestService()
    let branch = try await service.branch().branchID
    let created = try await service.create(agent("A1", in: branch))
    let added = try await service.add(licence("L1"), to: created.agentID, etag: created.etag)
    #expect(added.etag != created.etag)
    let late = await failure { try await service.add(licence("L2"), to: created.agentID, etag: created.etag) }
    #expect(late?.code == .aborted)
    let state = await failure { try await service.change(created.agentID, to: .left, etag: created.etag) }
    #expect(state?.code == .aborted)
    #expect(try await service.change(created.agentID, to: .left, etag: added.etag).state == .left)
  }

  @Test func statesChangeOnlyAlongLegalTransitions() async throws {
    let service = try await TestService()
    let branch = try await service.branch().branchID
    let id = try await service.create(agent("A1", in: branch)).agentID
    #expect(await failure { try await service.change(id, to: .active) }?.code == .failedPrecondition)
    #expect(try await service.change(id, to: .suspended).state == .suspended)
    #expect(try await service.change(id, to: .active).state == .active)
    let early = await failure {
      try await service.change(id, to: .left, on: CalendarDate(year: 2025, month: 1, day: 1))
    }
    #expect(early?.fields == ["effective_date"])
    let date = CalendarDate(year: 2026, month: 5, day: 1)
    let left = try await service.change(id, to: .left, on: date)
    #expect(left.state == .left && left.leaveDate == date)
    #expect(await failure { try await service.change(id, to: .active) }?.code == .failedPrecondition)
    #expect(await failure { try await service.add(licence("L"), to: id) }?.code == .failedPrecondition)
    #expect(await failure { try await service.change(id, to: .unspecified) }?.fields == ["state"])
  }

  @Test func whatIsNotThereIsNotFound() async throws {
    let service = try await TestService()
    let id = "agt_00000000000000000000000000"
    #expect(await failure { try await service.agent(id) }?.code == .notFound)
    #expect(await failure { try await service.add(licence("L"), to: id) }?.code == .notFound)
    #expect(await failure { try await service.change(id, to: .left) }?.code == .notFound)
    #expect(await failure { try await service.activities(of: id) }?.code == .notFound)
    #expect(await failure { try await service.agent("x") }?.fields == ["agent_id"])
  }

  @Test func agentsAreListedByBranchAndTeamPageByPage() async throws {
    let service = try await TestService()
    let (first, second) = (try await service.branch("GD").branchID, try await service.branch("HN").branchID)
    let team = try await service.team("一队", in: first).teamID
    var expected: [String: Set<String>] = [:]
    for number in 0..<25 {
      let inTeam = number % 5 == 0
      let branch = inTeam || number % 2 == 0 ? first : second
      let id = try await service.create(agent("A\(number)", in: branch, team: inTeam ? team : "")).agentID
      for key in ["", branch, inTeam ? team : branch] { expected[key, default: []].insert(id) }
    }
    for (branch, team) in [("", ""), (first, ""), (second, ""), ("", team)] {
      var found: [String] = []
      var token = ""
      repeat {
        let page = try await service.agents(branch: branch, team: team, pageSize: 4, pageToken: token)
        found += page.agents.map(\.agentID)
        token = page.nextPageToken
      } while !token.isEmpty
      #expect(found == expected[branch + team, default: []].sorted())
    }
    let token = try await service.agents(branch: first, pageSize: 1).nextPageToken
    #expect(await failure { try await service.agents(branch: second, pageToken: token) }?.fields == ["page_token"])
    #expect(await failure { try await service.agents(branch: first, team: team) }?.fields == ["branch_id", "team_id"])
    #expect(await failure { try await service.agents(pageSize: -1) }?.fields == ["page_size"])
  }
}
