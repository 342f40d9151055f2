import API
import MainstayTesting
import RPCCore
import Testing

@Suite struct OrganisationCallTests {
  @Test func thirtyFourBranchesAreListedInOrderPageByPage() async throws {
    let service = try await TestService()
    var created: [Branch] = []
    for number in 1...34 { created.append(try await service.branch("B\(number)", name: "分公司\(number)")) }
    var listed: [Branch] = []
    var token = ""
    repeat {
      let page: ListBranchesResponse = try await service.unary(
        AgentServiceMethods.listBranches, ListBranchesRequest(pageSize: 10, pageToken: token))
      #expect(page.branches.count <= 10)
      listed += page.branches
      token = page.nextPageToken
    } while !token.isEmpty
    #expect(listed == created.sorted { $0.branchID < $1.branchID })
    #expect(try await service.outbox().map(\.version) == Array(repeating: 1, count: 34))
  }

  @Test func aCodeIsTakenOnce() async throws {
    let service = try await TestService()
    _ = try await service.branch("GD")
    #expect(await failure { try await service.branch("GD", name: "另一家") }?.code == .alreadyExists)
    #expect(try await service.outbox().count == 1)
  }

  @Test func everyBadFieldOfABranchIsNamed() async throws {
    let service = try await TestService()
    let error = await failure { () -> Branch in
      try await service.unary(AgentServiceMethods.createBranch, CreateBranchRequest(branch: Branch(code: "gd")))
    }
    #expect(error?.code == .invalidArgument && error?.fields == ["branch.code", "branch.name", "branch.region"])
  }

  @Test func aRepetitionGetsTheFirstAnswer() async throws {
    let service = try await TestService()
    let branch = try await service.branch(requestID: "r1")
    #expect(try await service.branch(requestID: "r1") == branch)
    let team = try await service.team("一队", in: branch.branchID, requestID: "r1")
    #expect(try await service.team("一队", in: branch.branchID, requestID: "r1") == team)
    #expect(try await service.outbox().count == 2)
    #expect(await failure { try await service.branch("HN", requestID: "r1") }?.fields == ["request_id"])
  }

  @Test func aTeamsNameIsTakenOncePerBranch() async throws {
    let service = try await TestService()
    let first = try await service.branch("GD").branchID
    let second = try await service.branch("HN").branchID
    _ = try await service.team("一队", in: first)
    _ = try await service.team("一队", in: second)
    #expect(await failure { try await service.team("一队", in: first) }?.code == .alreadyExists)
  }

  @Test func aTeamNeedsABranch() async throws {
    let service = try await TestService()
    let unknown = await failure { try await service.team("一队", in: "brn_00000000000000000000000000") }
    #expect(unknown?.code == .notFound)
    #expect(await failure { try await service.team("", in: "x") }?.fields == ["team.branch_id", "team.name"])
  }

  @Test func teamsAreListedByBranch() async throws {
    let service = try await TestService()
    let (first, second) = (try await service.branch("GD").branchID, try await service.branch("HN").branchID)
    let team = try await service.team("一队", in: first)
    _ = try await service.team("二队", in: second)
    let all: ListTeamsResponse = try await service.unary(AgentServiceMethods.listTeams, ListTeamsRequest())
    let some: ListTeamsResponse = try await service.unary(
      AgentServiceMethods.listTeams, ListTeamsRequest(branchID: first))
    #expect(all.teams.count == 2 && some.teams == [team])
  }

  @Test func ofBranchesFoundedAtTheSameTimeOneGetsTheCode() async throws {
    let service = try await TestService()
    let codes = await withTaskGroup(of: StatusCode?.self) { group in
      for _ in 0..<8 { group.addTask { await failure { try await service.branch("GD") }?.code } }
      return await group.reduce(into: [StatusCode?]()) { $0.append($1) }
    }
    #expect(codes.filter { $0 == nil }.count == 1 && codes.filter { $0 == .alreadyExists }.count == 7)
  }
}
