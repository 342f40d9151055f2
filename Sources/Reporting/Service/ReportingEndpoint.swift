import API
import Core
import EventFollowing
import ReportingDomain
import RPCCore
import Storage
import UseCases

/// mainstay.reporting.v1.ReportingService.
struct ReportingEndpoint: ReportingServiceHandler {
  let database: any Database
  let clock: any Clock
  let rules: ReportingRules
  let sources: [ReportingSource]
  let changeover: AsyncSignal

  func listReports(_ request: ListReportsRequest, _ context: ServerContext) async throws -> ListReportsResponse {
    ListReportsResponse(reports: ReportCatalogue.descriptions)
  }

  func runReport(_ request: RunReportRequest, _ context: ServerContext) async throws -> RunReportResponse {
    let lags = try await lags()
    var reply = try await ReportRun(database: database, rules: rules).run(
      request, today: CivilDate.inShanghai(at: clock.now()))
    reply.lags = lags
    return reply
  }

  func rebuildReports(
    _ request: RebuildReportsRequest, _ context: ServerContext
  ) async throws -> RebuildReportsResponse {
    let wanted = sources.filter { request.service.isEmpty || $0.service.rawValue == request.service }
    guard !wanted.isEmpty else {
      throw RPCError.invalid("service", "no service of this name is followed")
    }
    let repository = ProgressRepository(database: database)
    var generations: [(FollowedService, Int64)] = []
    for source in wanted {
      generations.append((source.service, try await repository.beginRebuild(of: source.service)))
      source.follower.restart()
    }
    var events: Int64 = 0
    for (service, generation) in generations {
      while true {
        let seen = changeover.count
        let progress = try await repository.progress(of: service)
        if progress.current.number >= generation {
          events += progress.current.applied
          break
        }
        // Another rebuild that began later makes this one's generation go; its end is as good.
        try await changeover.wait(after: seen)
      }
    }
    return RebuildReportsResponse(events: events)
  }

  func getLag(_ request: GetLagRequest, _ context: ServerContext) async throws -> GetLagResponse {
    GetLagResponse(lags: try await lags())
  }

  private func lags() async throws -> [SourceLag] {
    let repository = ProgressRepository(database: database)
    var lags: [SourceLag] = []
    for source in sources {
      let progress = try await repository.progress(of: source.service)
      let status = source.follower.status
      let isCurrent = status.isCaughtUp && progress.building == nil
      let last = max(progress.current.lastRecorded, status.caughtUpTime?.microsecondsSinceEpoch ?? 0)
      let behind = last == 0 ? -1 : max(0, clock.now().microsecondsSinceEpoch - last) / 1_000
      let recorded = Timestamp(microsecondsSinceEpoch: progress.current.lastRecorded)
      lags.append(
        SourceLag(
          service: source.service.rawValue, connected: status.isConnected, caughtUp: isCurrent,
          lagMilliseconds: isCurrent ? 0 : behind, appliedEvents: progress.current.applied,
          unknownEvents: try await repository.unknownEvents(of: source.service),
          lastRecordedTime: progress.current.lastRecorded == 0
            ? nil : GoogleTimestamp(recorded),
          rebuilding: progress.building != nil))
    }
    return lags
  }
}

/// A service that is followed.
struct ReportingSource: Sendable {
  let service: FollowedService
  let sink: FactSink
  let follower: EventFollower
}
