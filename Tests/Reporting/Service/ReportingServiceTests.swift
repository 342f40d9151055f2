import API
import Core
import MainstayTesting
import RPCCore
import Storage
import Testing

@Suite(.timeLimit(.minutes(10))) struct ReportingServiceTests {
  private func policies(_ range: Range<Int>) -> [Policy] {
    range.map { number in
      let hasEnded = number % 3 == 0
      return Policy(
        source: "core", sourceKey: "\(number)", policyholderSourceKey: "holder-\(number / 2)", productCode: "WL",
        channel: number % 2 == 0 ? .online : .group, state: hasEnded ? .surrendered : .inForce,
        annualPremium: Money(currencyCode: "CNY", minorUnits: Int64(number) * 100), premiumFrequency: .annual,
        issueDate: CalendarDate(year: 2020, month: 1, day: 15),
        endDate: hasEnded ? CalendarDate(year: 2020, month: Int32(number % 12) + 1, day: 20) : nil,
        endCause: hasEnded ? .surrender : .unspecified)
    }
  }

  private let everything = [
    RunReportRequest(name: "kpi", by: .channel),
    RunReportRequest(name: "persistency", by: .channel, months: [1, 6, 12]),
    RunReportRequest(name: "persistency", months: [13], basis: .premium), RunReportRequest(name: "end-causes"),
    RunReportRequest(name: "survival", months: [1, 2, 3, 12], event: .anyEnd),
  ]

  private func figures(_ scene: ReportingScene, _ reporting: Running) async throws -> [[String]] {
    var figures: [[String]] = []
    for request in everything { figures.append(try await scene.report(reporting, request)) }
    return figures
  }

  @Test func whatIsImportedIsInTheFiguresAndCatchesUpAfterAPause() async throws {
    let scene = try ReportingScene()
    let customer = try await scene.customer()
    try await scene.importPolicies(policies(0..<300), into: customer)
    var reporting = try await scene.reporting(following: customer)
    // 150 parties and 300 policies.
    #expect(try await scene.caughtUp(reporting, events: 450))
    #expect(
      try await scene.report(reporting, RunReportRequest(name: "end-causes")) == [
        "in-force,200,0.666667", "surrender,100,0.333333",
      ])
    #expect(try await scene.report(reporting, RunReportRequest(name: "kpi")).contains("add_on_rate,share,1.000000"))

    await reporting.stop()
    try await scene.importPolicies(policies(300..<900), into: customer)
    reporting = try await scene.reporting(following: customer)
    #expect(try await scene.caughtUp(reporting, events: 1_350))
    #expect(
      try await scene.report(reporting, RunReportRequest(name: "end-causes")) == [
        "in-force,600,0.666667", "surrender,300,0.333333",
      ])
    await reporting.stop()
    await customer.stop()
  }

  @Test func aRebuildGivesTheSameFiguresToTheUnit() async throws {
    let scene = try ReportingScene()
    let customer = try await scene.customer()
    let reporting = try await scene.reporting(following: customer)
    try await scene.importPolicies(policies(0..<500), into: customer)
    #expect(try await scene.caughtUp(reporting, events: 750))
    let before = try await figures(scene, reporting)
    #expect(before.allSatisfy { !$0.isEmpty })
    // Damage that only a rebuild can heal.
    try await reporting.database.commit(
      Batch([Statement("DELETE FROM policy WHERE premium < 5000")]), lane: .interactive)
    #expect(try await figures(scene, reporting) != before)
    let events = try await scene.call(reporting) { channel in
      try await ReportingServiceClient(channel: channel).rebuildReports(RebuildReportsRequest()).events
    }
    #expect(events == 750)
    #expect(try await figures(scene, reporting) == before)
    // What was before goes, and new events go on counting.
    let isSwept = try await eventually(within: .seconds(30)) {
      try await number(reporting, "SELECT count(*) FROM policy") == 500
    }
    #expect(isSwept)
    try await scene.importPolicies(policies(500..<501), into: customer)
    #expect(try await scene.caughtUp(reporting, events: 752))
    await reporting.stop()
    await customer.stop()
  }

  @Test func anEventOfAnUnknownKindIsKeptAndSkipped() async throws {
    let scene = try ReportingScene()
    let customer = try await scene.customer()
    let reporting = try await scene.reporting(following: customer)
    try await scene.importPolicies(policies(0..<2), into: customer)
    let time = Timestamp(microsecondsSinceEpoch: 1_795_000_000_000_000)
    let future = OutboxEvent(
      eventID: "evt_future", aggregateID: "new_1", aggregateVersion: 1, type: "mainstay.customer.v9.HologramRecorded",
      effectiveTime: time, recordedTime: time, actor: "newer", payload: [1, 2, 3])
    let damaged = OutboxEvent(
      eventID: "evt_damaged", aggregateID: "new_2", aggregateVersion: 1, type: PolicyChanged.fullName,
      effectiveTime: time, recordedTime: time, actor: "newer", payload: [0xFF])
    try await customer.database.commit(Batch(events: [future, damaged]), lane: .interactive)
    try await scene.importPolicies(policies(2..<4), into: customer)
    #expect(try await scene.caughtUp(reporting, events: 8))
    #expect(try await scene.lag(reporting).unknownEvents == 2)
    let row = try await reporting.database.row(
      Statement("SELECT event FROM unknown_event WHERE event_id = ?", [.text("evt_future")]))
    let kept = try Event(serialized: try #require(try row?.blob(0)))
    #expect((kept.type, kept.payload?.value) == (future.type, [1, 2, 3]))
    #expect(try await number(reporting, "SELECT count(*) FROM policy") == 4)
    await reporting.stop()
    await customer.stop()
  }

  @Test func anotherLifeOfTheCustomerDatabaseIsReadFromItsBeginning() async throws {
    let scene = try ReportingScene()
    let first = try await scene.customer()
    var reporting = try await scene.reporting(following: first)
    try await scene.importPolicies(policies(0..<20), into: first)
    #expect(try await scene.caughtUp(reporting, events: 30))
    await reporting.stop()
    let second = try await scene.customer("restored.db")
    try await scene.importPolicies(policies(0..<4), into: second)
    reporting = try await scene.reporting(following: second)
    #expect(try await scene.caughtUp(reporting, events: 6))
    #expect(try await scene.report(reporting, RunReportRequest(name: "kpi")).contains("policies,policies,4"))
    await reporting.stop()
    await first.stop()
    await second.stop()
  }

  @Test func persistencyByPremiumComesFromInstalments() async throws {
    let scene = try ReportingScene()
    let customer = try await scene.customer()
    let reporting = try await scene.reporting(following: customer)
    try await scene.importPolicies(policies(1..<3), into: customer)
    func instalment(_ key: String, year: Int32, _ amount: Int64, paid: Bool, loan: Bool = false) -> ImportPremiumRow {
      let date = CalendarDate(year: year, month: 1, day: 15)
      let money = Money(currencyCode: "CNY", minorUnits: amount)
      return ImportPremiumRow(
        line: 2, policySourceKey: key,
        premium: PremiumInstalment(
          dueDate: date, due: money, receivedDate: paid ? date : nil, received: paid ? money : nil,
          method: paid ? (loan ? .automaticLoan : .cash) : .unspecified))
    }
    let rows = [
      instalment("1", year: 2020, 700, paid: true), instalment("1", year: 2021, 700, paid: true),
      instalment("2", year: 2020, 300, paid: true), instalment("2", year: 2021, 300, paid: true, loan: true),
    ]
    #expect(try await scene.importPremiums(rows, into: customer).created == 4)
    #expect(try await scene.importPremiums(rows, into: customer).unchanged == 4)
    let refused = try await scene.importPremiums(
      [instalment("9", year: 2020, 1, paid: true), instalment("1", year: 2019, 1, paid: true)], into: customer)
    #expect(
      refused.rejected.map(\.reason) == [
        "policy_source_key: the source has no policy with this number", "due_date: lies before issue_date",
      ])
    // Two parties, two policies, four instalments.
    #expect(try await scene.caughtUp(reporting, events: 8))
    let request = RunReportRequest(name: "persistency", months: [13, 25], form: .premium)
    #expect(
      try await scene.report(reporting, request) == [
        "CNY,13,2,1000,700,0.700000", "CNY,25,2,1000,0,0.000000",
      ])
    // More instalments of other policies than one query may read, and more of one policy than are read at once.
    let days =
      "WITH RECURSIVE day(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM day WHERE n < 120000) INSERT INTO premium"
    try await reporting.database.commit(
      Batch([
        Statement("\(days) SELECT 1, 'pol_0', n, 1, 'CNY', NULL, 0, 0, 1 FROM day"),
        Statement(
          """
          \(days) SELECT 1, (SELECT min(policy_id) FROM policy), n + 30000, 1, 'CNY', NULL, 0, 0, 1 FROM day
          WHERE n < 45000
          """),
      ]), lane: .bulk)
    #expect(
      try await scene.report(reporting, request) == [
        "CNY,13,2,1000,700,0.700000", "CNY,25,2,1000,0,0.000000",
      ])
    await reporting.stop()
    await customer.stop()
  }

  @Test func aRequestSaysWhatIsWrongWithIt() async throws {
    let scene = try ReportingScene()
    let customer = try await scene.customer()
    let reporting = try await scene.reporting(following: customer)
    func refusal(_ request: RunReportRequest, as role: String = "auditor") async -> RPCError? {
      do {
        _ = try await scene.call(reporting, as: role) { channel in
          try await ReportingServiceClient(channel: channel).runReport(request)
        }
        return nil
      } catch {
        return error as? RPCError
      }
    }
    #expect(await refusal(RunReportRequest(name: "kpi")) == nil)
    #expect(await refusal(RunReportRequest(name: "kpi"), as: "agent")?.code == .permissionDenied)
    #expect(await refusal(RunReportRequest(name: "horoscope"))?.code == .notFound)
    for bad in [
      RunReportRequest(name: "kpi", months: [13]), RunReportRequest(name: "persistency", months: [25, 13]),
      RunReportRequest(name: "persistency", months: [14], form: .premium),
      RunReportRequest(name: "survival", form: .survival), RunReportRequest(name: "kpi", source: "Not A Source"),
    ] {
      #expect(await refusal(bad)?.code == .invalidArgument)
    }
    await reporting.stop()
    await customer.stop()
  }

  private func number(_ reporting: Running, _ sql: String) async throws -> Int64 {
    try await reporting.database.row(Statement(sql), access: .scan)?.integer(0) ?? -1
  }
}
