import API
import Core
import MainstayTesting
import Protobuf
import RPCCore
import Storage
import Testing

/// Figures from a log from which events were removed.
@Suite(.timeLimit(.minutes(10))) struct RetentionTests {
  /// Policies whose premium grows with each round, so that a later import overtakes what an earlier one has told.
  private func policies(_ range: Range<Int>, round: Int) -> [Policy] {
    range.map { number in
      Policy(
        source: "core", sourceKey: "\(number)", policyholderSourceKey: "holder-\(number / 2)", productCode: "WL",
        channel: number % 2 == 0 ? .online : .group, state: .inForce,
        annualPremium: Money(currencyCode: "CNY", minorUnits: Int64((number + 1) * round) * 100),
        premiumFrequency: .annual, issueDate: CalendarDate(year: 2020, month: 1, day: 15))
    }
  }

  private func figures(_ scene: ReportingScene, _ reporting: Running) async throws -> [String] {
    try await scene.report(reporting, RunReportRequest(name: "kpi", by: .channel))
  }

  /// Publishes a snapshot and removes all that it makes needless but the last so many events.
  private func retain(_ events: Int64, _ scene: ReportingScene, _ customer: Running) async throws -> EventLogState {
    // As if the audit leaves of all events had their places.
    try await customer.database.commit(Batch([Statement("DELETE FROM audit_pending")]), lane: .interactive)
    let rules = try EventRetention(keepEvents: events).serialized()
    return try await scene.call(customer) { channel in
      let jobs = JobServiceClient(channel: channel)
      let job = try await jobs.startJob(
        StartJobRequest(
          kind: "retain-events",
          parameters: GoogleAny(typeURL: "type.googleapis.com/\(EventRetention.fullName)", value: rules)))
      let states = try await jobs.watchJob(WatchJobRequest(jobID: job.jobID))
      var last = job
      while let state = try await states.next() { last = state }
      #expect(last.state == .succeeded, "\(last.error)")
      return try await EventLogServiceClient(channel: channel).getEventLog(GetEventLogRequest())
    }
  }

  @Test func aRebuildFromSnapshotAndTailGivesTheSameFigures() async throws {
    let scene = try ReportingScene()
    let customer = try await scene.customer()
    let reporting = try await scene.reporting(following: customer)
    for round in 1...4 { try await scene.importPolicies(policies(0..<200, round: round), into: customer) }
    // 100 parties, and 200 policies in four versions.
    #expect(try await scene.caughtUp(reporting, events: 900))
    let before = try await figures(scene, reporting)
    let state = try await retain(100, scene, customer)
    #expect((state.lastPosition, state.snapshotPosition) == (900, 900))
    #expect((state.snapshotEvents, state.removedUpTo) == (300, 800))
    let kept = try await customer.database.row(Statement("SELECT count(*) FROM event"), access: .scan)?.integer(0)
    // The snapshot's, and what is overtaken among the last hundred: none, for they are of the last round.
    #expect(kept == 300)
    try await scene.importPolicies(policies(0..<10, round: 5), into: customer)
    try await scene.importPolicies(policies(0..<10, round: 4), into: customer)
    #expect(try await scene.caughtUp(reporting, events: 920))
    #expect(try await figures(scene, reporting) == before)
    let events = try await scene.call(reporting) { channel in
      try await ReportingServiceClient(channel: channel).rebuildReports(RebuildReportsRequest()).events
    }
    #expect(events == 320)
    #expect(try await figures(scene, reporting) == before)
    await reporting.stop()
    await customer.stop()
  }

  @Test func aFollowerThatWasAwayTooLongRebuildsByItself() async throws {
    let scene = try ReportingScene()
    let customer = try await scene.customer()
    var reporting = try await scene.reporting(following: customer)
    try await scene.importPolicies(policies(0..<50, round: 1), into: customer)
    #expect(try await scene.caughtUp(reporting, events: 75))
    let before = try await figures(scene, reporting)
    await reporting.stop()
    for round in 2...3 { try await scene.importPolicies(policies(0..<50, round: round), into: customer) }
    let state = try await retain(1, scene, customer)
    #expect(state.removedUpTo == 174)
    reporting = try await scene.reporting(following: customer)
    // Read anew from the snapshot: 25 parties and 50 policies, each once.
    #expect(try await scene.caughtUp(reporting, events: 75))
    let rebuilt = try await figures(scene, reporting)
    let fresh = try await scene.reporting(following: [.customer: customer], "fresh.db")
    #expect(try await scene.caughtUp(fresh, events: 75))
    #expect(try await figures(scene, fresh) == rebuilt)
    #expect(rebuilt != before)
    await fresh.stop()
    await reporting.stop()
    await customer.stop()
  }
}
