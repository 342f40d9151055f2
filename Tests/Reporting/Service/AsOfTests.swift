import API
import Core
import MainstayTesting
import ReportingService
import RPCCore
import Testing

/// Reports as of a day, and the customers that they count.
@Suite(.timeLimit(.minutes(10))) struct AsOfTests {
  private func policy(_ key: String, issued: CalendarDate, ended: CalendarDate? = nil) -> Policy {
    Policy(
      source: "core", sourceKey: key, policyholderSourceKey: "holder-\(key)", productCode: "WL", channel: .online,
      state: ended == nil ? .inForce : .surrendered, annualPremium: Money(currencyCode: "CNY", minorUnits: 100),
      premiumFrequency: .annual, issueDate: issued, endDate: ended, endCause: ended == nil ? .unspecified : .surrender)
  }

  private func date(_ year: Int32, _ month: Int32, _ day: Int32) -> CalendarDate {
    CalendarDate(year: year, month: month, day: day)
  }

  /// Two cohorts: January 2025, of which one ended in February 2026; and July 2026, of which one ended in August.
  private var cohorts: [Policy] {
    [
      policy("1", issued: date(2025, 1, 10)), policy("2", issued: date(2025, 1, 20), ended: date(2026, 2, 25)),
      policy("3", issued: date(2026, 7, 1)), policy("4", issued: date(2026, 7, 2), ended: date(2026, 8, 1)),
    ]
  }

  @Test func aPastDayHasTheSameFiguresOnEveryDay() async throws {
    let scene = try ReportingScene()
    let customer = try await scene.customer()
    try await scene.importPolicies(cohorts, into: customer)
    let clock = TestClock()
    let reporting = try await scene.reporting(following: [.customer: customer], clock: clock)
    #expect(try await scene.caughtUp(reporting, events: 8))
    let day = date(2026, 1, 31)
    let requests = [
      RunReportRequest(name: "kpi", asOfDate: day), RunReportRequest(name: "end-causes", asOfDate: day),
      RunReportRequest(name: "persistency", by: .issueMonth, months: [12, 13], asOfDate: day),
      RunReportRequest(name: "survival", months: [1, 12, 13], event: .anyEnd, asOfDate: day),
    ]
    var before: [[String]] = []
    for request in requests { before.append(try await scene.report(reporting, request)) }
    // What ended later stood then, what was issued later was not there, and month 13 had not come.
    #expect(before[1] == ["in-force,2,1.000000"])
    #expect(before[2] == ["2025-01,12,2,2,1.000000", "2025-01,13,0,0,"])
    clock.advance(seconds: 400 * 86_400)
    _ = try await scene.call(reporting) { channel in
      try await ReportingServiceClient(channel: channel).rebuildReports(RebuildReportsRequest())
    }
    for (index, request) in requests.enumerated() {
      #expect(try await scene.report(reporting, request) == before[index])
    }
    await reporting.stop()
    await customer.stop()
  }

  @Test func withoutADayItIsTodayAndTheYoungCohortHasNoFigureYet() async throws {
    let scene = try ReportingScene()
    let customer = try await scene.customer()
    try await scene.importPolicies(cohorts, into: customer)
    // 18 November 2026.
    let clock = TestClock()
    let reporting = try await scene.reporting(following: [.customer: customer], clock: clock)
    #expect(try await scene.caughtUp(reporting, events: 8))
    let request = RunReportRequest(name: "persistency", by: .issueMonth, months: [3, 13])
    #expect(
      try await scene.report(reporting, request) == [
        "2025-01,3,2,2,1.000000", "2025-01,13,2,2,1.000000", "2026-07,3,2,1,0.500000", "2026-07,13,0,0,",
      ])
    let answered = try await scene.call(reporting) { channel in
      try await ReportingServiceClient(channel: channel).runReport(request).asOfDate
    }
    #expect(answered == CalendarDate(CivilDate.inShanghai(at: clock.now())))
    // A year later month 13 has come.
    clock.advance(seconds: 365 * 86_400)
    #expect(try await scene.report(reporting, request).last == "2026-07,13,2,1,0.500000")
    let future = RunReportRequest(name: "kpi", asOfDate: date(2030, 1, 1))
    let refusal = await #expect(throws: RPCError.self) { _ = try await scene.report(reporting, future) }
    #expect(refusal?.code == .invalidArgument && refusal?.message.contains("as_of_date") == true)
    await reporting.stop()
    await customer.stop()
  }

  @Test func customersAreCountedWithAndWithoutAPolicy() async throws {
    let scene = try ReportingScene()
    let customer = try await scene.customer()
    try await scene.importPolicies(Array(cohorts.prefix(2)), into: customer)
    for (source, key) in [("web", "a"), ("web", "b"), ("core", "c")] {
      _ = try await scene.call(customer) { channel in
        try await CustomerServiceClient(channel: channel).createParty(
          CreatePartyRequest(party: Party(source: source, sourceKey: key, kind: .person(Person(familyName: "王")))))
      }
    }
    let reporting = try await scene.reporting(following: customer)
    #expect(try await scene.caughtUp(reporting, events: 7))
    func kpi(_ request: RunReportRequest) async throws -> [String] {
      try await scene.report(reporting, request).filter { $0.contains("customer") }
    }
    #expect(
      try await kpi(RunReportRequest(name: "kpi")) == [
        "customers,customers,5", "customers_with_policy,customers,2", "premium_per_customer,minor units CNY,100.00",
        "policies_per_customer,policies,1.000000",
      ])
    #expect(
      try await kpi(RunReportRequest(name: "kpi", source: "web")) == [
        "customers,customers,2", "customers_with_policy,customers,0", "policies_per_customer,policies,",
      ])
    for request in [
      RunReportRequest(name: "kpi", by: .channel), RunReportRequest(name: "kpi", fromIssueMonth: date(2025, 1, 1)),
      RunReportRequest(name: "kpi", asOfDate: date(2026, 1, 31)),
    ] {
      let rows = try await kpi(request)
      #expect(!rows.contains { $0.contains("customers,customers,5") } && rows.count == 3)
      #expect(rows.first?.hasSuffix("customers_with_policy,customers,2") == true)
    }
    let described = try await scene.call(reporting) { channel in
      try await ReportingServiceClient(channel: channel).listReports(ListReportsRequest()).reports.first
    }
    #expect(described?.figures.contains { $0.name == "customers" } == true)
    await reporting.stop()
    await customer.stop()
  }
}
