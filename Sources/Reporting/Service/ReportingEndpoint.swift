import API
import Core
import EventFollowing
import Jobs
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
  let jobs: Jobs

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
    guard sources.contains(where: { request.service.isEmpty || $0.service.rawValue == request.service }) else {
      throw RPCError.invalid("service", "no service of this name is followed")
    }
    let (job, creation) = jobs.creation(
      FactRebuild.kind,
      parameters: EncodedMessage(type: RebuildReportsRequest.fullName, value: try request.serialized()),
      actor: context.caller?.name ?? "unknown")
    try await database.commit(Batch([creation]), lane: .interactive)
    jobs.announce()
    // Whoever goes away meanwhile finds the job with ListJobs: it goes on.
    while true {
      let seen = jobs.changes.count
      guard let now = try await jobs.job(job.id) else { throw RPCError(.aborted, "the rebuild's job is gone") }
      switch now.state {
      case .waiting, .running: try await jobs.changes.wait(after: seen)
      case .succeeded: return try RebuildReportsResponse(serialized: now.result?.value ?? [])
      case .cancelled: throw RPCError(.aborted, "the rebuild, job \(job.id), was cancelled")
      case .failed: throw RPCError(.aborted, "the rebuild, job \(job.id), has failed: \(now.error)")
      }
    }
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
