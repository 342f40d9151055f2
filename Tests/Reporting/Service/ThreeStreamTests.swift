import API
import Core
import MainstayTesting
import ReportingService
import RPCCore
import Storage
import Testing

/// Customer, agent and partner service, what they were told, and reporting on all three.
private final class ThreeStreams: Sendable {
  let scene: ReportingScene
  let customer: Running
  let agent: Running
  let partner: Running

  init(loops: Int = 2) async throws {
    scene = try ReportingScene(loops: loops)
    customer = try await scene.customer()
    agent = try await scene.agent()
    partner = try await scene.partner()
  }

  var all: [FollowedService: Running] { [.customer: customer, .agent: agent, .partner: partner] }

  func reporting(_ file: String = "reporting.db") async throws -> Running {
    try await scene.reporting(following: all, file)
  }

  func stop(_ more: Running...) async {
    for running in more + [customer, agent, partner] { await running.stop() }
  }

  /// Who sells: two branches, a team, two agents, a bank and two products. Gives their ids by name.
  func organise() async throws -> [String: String] {
    var ids: [String: String] = [:]
    ids["GD"] = try await branch("GD", "广东分公司")
    ids["HN"] = try await branch("HN", "湖南分公司")
    let (guangdong, hunan) = (ids["GD"] ?? "", ids["HN"] ?? "")
    let team = try await scene.call(agent) { channel in
      try await AgentServiceClient(channel: channel).createTeam(
        CreateTeamRequest(team: Team(branchID: guangdong, name: "先锋队"))
      ).teamID
    }
    ids["team"] = team
    ids["A-1"] = try await agent("A-1", "王丽华", guangdong, team)
    ids["A-2"] = try await agent("A-2", "李强", hunan, "")
    let day = CalendarDate(year: 2020, month: 1, day: 1)
    ids["BANK"] = try await scene.call(partner) { channel in
      try await PartnerServiceClient(channel: channel).createPartner(
        CreatePartnerRequest(partner: Partner(code: "BANK", name: "第一银行", kind: .bank, contractFrom: day))
      ).partnerID
    }
    ids["WL"] = try await product("WL", "终身寿险", .wholeLife)
    ids["CI"] = try await product("CI", "重疾险", .criticalIllness)
    return ids
  }

  private func branch(_ code: String, _ name: String) async throws -> String {
    try await scene.call(agent) { channel in
      try await AgentServiceClient(channel: channel).createBranch(
        CreateBranchRequest(branch: Branch(code: code, name: name, region: "广东省"))
      ).branchID
    }
  }

  func agent(_ code: String, _ name: String, _ branch: String, _ team: String) async throws -> String {
    let day = CalendarDate(year: 2020, month: 1, day: 1)
    return try await scene.call(agent) { channel in
      try await AgentServiceClient(channel: channel).createAgent(
        CreateAgentRequest(
          agent: Agent(code: code, name: name, type: .own, branchID: branch, teamID: team, joinDate: day))
      ).agentID
    }
  }

  func product(_ code: String, _ name: String, _ line: ProductLine) async throws -> String {
    let day = CalendarDate(year: 2020, month: 1, day: 1)
    return try await scene.call(partner) { channel in
      try await ProductServiceClient(channel: channel).createProduct(
        CreateProductRequest(
          product: Product(code: code, name: name, line: line, versions: [ProductVersion(from: day)]))
      ).productID
    }
  }

  func withdraw(_ id: String) async throws {
    _ = try await scene.call(partner) { channel in
      try await ProductServiceClient(channel: channel).withdrawProduct(
        WithdrawProductRequest(productID: id, reason: "rates"))
    }
  }

  /// Many events of the agent service: calls that an agent made.
  func calls(_ count: Int, by agentID: String) async throws {
    let activities = (0..<count).map {
      Activity(agentID: agentID, kind: .call, activityTime: GoogleTimestamp(seconds: 1_700_000_000 + Int64($0)))
    }
    _ = try await scene.call(agent) { channel in
      try await AgentServiceClient(channel: channel).recordActivities(RecordActivitiesRequest(activities: activities))
    }
  }

  /// Three policies: two of one agent in Guangdong, one that is by code alone.
  func sell(_ ids: [String: String]) async throws {
    func policy(_ key: String, _ product: String, _ agent: String, _ branch: String, _ partner: String) -> Policy {
      Policy(
        source: "core", sourceKey: key, policyholderSourceKey: "h-\(key)", productCode: product, channel: .online,
        state: .inForce, issueDate: CalendarDate(year: 2024, month: 1, day: 15), agentID: agent, partnerID: partner,
        branchID: branch)
    }
    try await scene.importPolicies(
      [
        policy("1", "WL", ids["A-1"] ?? "", ids["GD"] ?? "", ids["BANK"] ?? ""),
        policy("2", "CI", ids["A-1"] ?? "", ids["GD"] ?? "", ""), policy("3", "OLD", "A-2", "HN", "BANK"),
      ], into: customer)
  }

  func by(_ dimension: Dimension, _ reporting: Running) async throws -> [String] {
    try await scene.report(reporting, RunReportRequest(name: "end-causes", by: dimension))
  }

  func everything(_ reporting: Running) async throws -> [[String]] {
    var figures: [[String]] = []
    for dimension in Dimension.all { figures.append(try await by(dimension, reporting)) }
    return figures
  }

  /// Waits until all events are applied: of the customer, agent and partner service.
  func caughtUp(_ reporting: Running, _ customer: Int64, _ agent: Int64, _ partner: Int64) async throws -> Bool {
    guard try await scene.caughtUp(reporting, .customer, events: customer),
      try await scene.caughtUp(reporting, .agent, events: agent)
    else { return false }
    return try await scene.caughtUp(reporting, .partner, events: partner)
  }
}

@Suite(.timeLimit(.minutes(10))) struct ThreeStreamTests {
  @Test func namesOfAgentsAndPartnersAndProductsStandBesideTheirIds() async throws {
    let streams = try await ThreeStreams()
    let reporting = try await streams.reporting()
    let ids = try await streams.organise()
    try await streams.sell(ids)
    #expect(try await streams.caughtUp(reporting, 6, 5, 3))
    func id(_ name: String) -> String { ids[name] ?? "none" }
    let tail = "in-force,1,1.000000"
    #expect(
      try await streams.by(.branch, reporting) == ["HN,湖南分公司,\(tail)", "\(id("GD")),广东分公司,in-force,2,1.000000"])
    #expect(
      try await streams.by(.agent, reporting) == ["A-2,李强,\(tail)", "\(id("A-1")),王丽华,in-force,2,1.000000"])
    #expect(
      try await streams.by(.partner, reporting) == [
        "BANK,第一银行,\(tail)", "\(id("BANK")),第一银行,\(tail)", "unknown,,\(tail)",
      ])
    #expect(
      try await streams.by(.team, reporting) == ["\(id("team")),先锋队,in-force,2,1.000000", "unknown,,\(tail)"])
    #expect(
      try await streams.by(.product, reporting) == ["CI,重疾险,\(tail)", "OLD,,\(tail)", "WL,终身寿险,\(tail)"])
    #expect(
      try await streams.by(.productLine, reporting) == [
        "critical-illness,\(tail)", "unknown,\(tail)", "whole-life,\(tail)",
      ])
    #expect(try await streams.by(.productState, reporting) == ["on-sale,in-force,2,1.000000", "unknown,\(tail)"])
    try await streams.withdraw(id("WL"))
    #expect(try await streams.caughtUp(reporting, 6, 5, 4))
    #expect(
      try await streams.by(.productState, reporting) == ["on-sale,\(tail)", "unknown,\(tail)", "withdrawn,\(tail)"])
    await streams.stop(reporting)
  }

  @Test func eventsThatComeTwiceCountOnce() async throws {
    let streams = try await ThreeStreams(loops: 1)
    let ids = try await streams.organise()
    try await streams.sell(ids)
    try await streams.withdraw(ids["WL"] ?? "")
    var twice: [FollowedService: Running] = [:]
    for (name, service) in streams.all { twice[name] = try await streams.scene.stuttering(service) }
    let stuttered = try await streams.scene.reporting(following: twice, "twice.db")
    let reporting = try await streams.reporting()
    #expect(try await streams.caughtUp(stuttered, 6, 5, 4))
    try await streams.calls(300, by: ids["A-1"] ?? "")
    #expect(try await streams.caughtUp(stuttered, 6, 305, 4))
    #expect(try await streams.caughtUp(reporting, 6, 305, 4))
    #expect(try await streams.everything(stuttered) == streams.everything(reporting))
    await stuttered.stop()
    for relay in twice.values { await relay.stop() }
    await streams.stop(reporting)
  }

  @Test func restartsInTheMiddleLoseAndDoubleNothing() async throws {
    let streams = try await ThreeStreams()
    let ids = try await streams.organise()
    try await streams.sell(ids)
    // A dozen pages of events.
    for _ in 0..<3 { try await streams.calls(1_000, by: ids["A-1"] ?? "") }
    var reporting = try await streams.reporting()
    var last: Int64 = 0
    for _ in 0..<4 {
      let seen = last
      let hasGrown = try await eventually(within: .seconds(30)) {
        let lag = try await streams.scene.lag(reporting, .agent)
        return lag.appliedEvents > seen || lag.caughtUp
      }
      #expect(hasGrown)
      last = try await streams.scene.lag(reporting, .agent).appliedEvents
      await reporting.stop()
      reporting = try await streams.reporting()
    }
    #expect(try await streams.caughtUp(reporting, 6, 3_005, 3))
    await streams.stop(reporting)
  }

  @Test func unknownKindsOfEachStreamAreKeptAndSkipped() async throws {
    let streams = try await ThreeStreams()
    let reporting = try await streams.reporting()
    let time = Timestamp(microsecondsSinceEpoch: 1_795_000_000_000_000)
    for (name, service) in streams.all {
      let future = OutboxEvent(
        eventID: "evt_\(name)", aggregateID: "new_1", aggregateVersion: 1, type: "mainstay.\(name).v9.Newer",
        effectiveTime: time, recordedTime: time, actor: "newer", payload: [1, 2, 3])
      try await service.database.commit(Batch(events: [future]), lane: .interactive)
    }
    let ids = try await streams.organise()
    try await streams.sell(ids)
    #expect(try await streams.caughtUp(reporting, 7, 6, 4))
    for name in FollowedService.allCases {
      #expect(try await streams.scene.lag(reporting, name).unknownEvents == 1, "\(name)")
      let row = try await reporting.database.row(
        Statement("SELECT event FROM unknown_event WHERE event_id = ?", [.text("evt_\(name)")]))
      #expect(try Event(serialized: try #require(try row?.blob(0))).payload?.value == [1, 2, 3])
    }
    #expect(try await streams.by(.productLine, reporting).count == 3)
    await streams.stop(reporting)
  }

  @Test func allStreamsCatchUpAfterAPauseAndARebuildAgreesToTheUnit() async throws {
    let streams = try await ThreeStreams()
    var reporting = try await streams.reporting()
    let ids = try await streams.organise()
    #expect(try await streams.caughtUp(reporting, 0, 5, 3))
    await reporting.stop()
    try await streams.sell(ids)
    _ = try await streams.agent("A-3", "赵敏", ids["GD"] ?? "", ids["team"] ?? "")
    _ = try await streams.product("OLD", "旧产品", .annuity)
    try await streams.withdraw(ids["CI"] ?? "")
    reporting = try await streams.reporting()
    #expect(try await streams.caughtUp(reporting, 6, 6, 5))
    let before = try await streams.everything(reporting)
    #expect(before.joined().contains("withdrawn,in-force,1,1.000000"))
    #expect(before.joined().contains("OLD,旧产品,in-force,1,1.000000"))
    for table in ["policy", "party", "agent", "team", "branch", "partner", "product"] {
      try await reporting.database.commit(Batch([Statement("DELETE FROM \(table)")]), lane: .interactive)
    }
    #expect(try await streams.everything(reporting) != before)
    let events = try await streams.scene.call(reporting) { channel in
      try await ReportingServiceClient(channel: channel).rebuildReports(RebuildReportsRequest()).events
    }
    #expect(events == 17)
    #expect(try await streams.everything(reporting) == before)
    await streams.stop(reporting)
  }

  @Test func lagIsAFigureForEachStream() async throws {
    let streams = try await ThreeStreams()
    let reporting = try await streams.reporting()
    _ = try await streams.organise()
    #expect(try await streams.caughtUp(reporting, 0, 5, 3))
    for name in FollowedService.allCases {
      let lag = try await streams.scene.lag(reporting, name)
      #expect((lag.connected, lag.caughtUp, lag.lagMilliseconds) == (true, true, 0), "\(name)")
    }
    await streams.agent.stop()
    let isCutOff = try await eventually(within: .seconds(30)) {
      let lag = try await streams.scene.lag(reporting, .agent)
      return !lag.connected && lag.lagMilliseconds > 0
    }
    #expect(isCutOff)
    // The others go on, and so do the reports.
    #expect(try await streams.scene.lag(reporting, .partner).caughtUp)
    #expect(try await streams.scene.lag(reporting, .customer).caughtUp)
    _ = try await streams.product("NEW", "新产品", .annuity)
    #expect(try await streams.scene.caughtUp(reporting, .partner, events: 4))
    await reporting.stop()
    await streams.customer.stop()
    await streams.partner.stop()
  }
}
