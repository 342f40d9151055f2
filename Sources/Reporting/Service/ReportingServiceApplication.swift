import API
import Core
import EventFollowing
import Jobs
import ProductCopies
import ReportingDomain
import RPCCore
import Storage
import UseCases

/// The reporting service (R1, R5, R13): figures from the events of the other services, on a database that is given to it.
public struct ReportingServiceApplication: Sendable {
  /// The service's tables. The database adds the storage layer's own.
  public static var migrations: [Migration] { ReportingSchema.migrations + Jobs.migrations }

  private let endpoint: ReportingEndpoint
  private let jobs: ServiceJobs

  /// The service on a database that has been migrated, with a channel to each service that it follows. The channels belong to
  /// the event loop that `background` runs on. `replica` is this process's stable name.
  public init(
    database: any Database, upstreams: [FollowedService: any RPCCore.Channel], clock: any Clock,
    random: any RandomSource, rules: ReportingRules = ReportingRules(), replica: String = "mainstay-reporting"
  ) {
    let environment = Environment(database: database, clock: clock, random: random)
    let jobs = Jobs(environment, replica: replica)
    let sources = FollowedService.allCases.compactMap { service -> ReportingSource? in
      guard let channel = upstreams[service] else { return nil }
      let sink = FactSink(service, database: database, jobs: jobs)
      return ReportingSource(
        service: service, sink: sink, follower: EventFollower(channel: channel, sink: sink, clock: clock))
    }
    endpoint = ReportingEndpoint(database: database, clock: clock, rules: rules, sources: sources, jobs: jobs)
    let definitions = [
      FactRebuild(database: database, sources: sources).definition, OldFacts(database: database).definition,
    ]
    self.jobs = ServiceJobs(jobs, definitions, environment: environment)
  }

  /// ReportingService, ProductCopyService and JobService.
  public var methodBindings: [MethodBinding] {
    let products = ProductFactKnowledge(
      database: endpoint.database, source: endpoint.sources.first { $0.service == .partner })
    return endpoint.methodBindings + ProductCopyEndpoint(products).methodBindings + jobs.methodBindings
  }

  /// Returns when withdrawals of products that happened while the service was down are here, or after this time.
  public func ready(within patience: Duration, sleep: @Sendable (Duration) async throws -> Void) async throws {
    let partner = endpoint.sources.first { $0.service == .partner }
    try await partner?.follower.firstCatchUp(within: patience, sleep: sleep)
  }

  /// How it follows the others, by their names.
  public var followers: [(name: String, status: EventFollower.Status)] {
    endpoint.sources.map { ($0.service.rawValue, $0.follower.status) }
  }

  /// What must run beside the calls as long as the service does, each in a task of its own on the channels' event loop that is
  /// cancelled at the end. `sleep` is the event loop's and must end early when cancelled; errors that the loops survive go to
  /// `onError`, and what a follower tells to `onNotice`.
  public func background(
    sleep: @escaping @Sendable (Duration) async throws -> Void, onError: @escaping @Sendable (any Error) -> Void,
    onNotice: @escaping @Sendable (FollowedService, FollowerNotice) -> Void
  ) -> [@Sendable () async throws -> Void] {
    let followers = endpoint.sources.map { source -> @Sendable () async throws -> Void in
      { try await source.follower.run(sleep: sleep) { onNotice(source.service, $0) } }
    }
    return followers + jobs.loops(sleep: sleep, onError: onError)
  }
}
