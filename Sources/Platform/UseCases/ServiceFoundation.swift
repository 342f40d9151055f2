import Core
import Events
import Jobs
import RPCCore
import Storage

/// A service on a database of its own, as its program starts it.
public protocol DatabaseService: Sendable {
  /// The service's tables. The database adds the storage layer's own.
  static var migrations: [Migration] { get }
  /// How those of its tables that events tell of stand to the events.
  static var aggregates: [AggregateRows] { get }

  /// Opens the service on a database that has been migrated.
  ///
  /// `replica` is this process's stable name: after a restart it goes on numbering events at once.
  init(database: any Database, clock: any Clock, random: any RandomSource, replica: String) async throws

  /// What it has of its own and with every service.
  var foundation: ServiceFoundation { get }

  /// Its own methods, without the foundation's.
  var ownMethodBindings: [MethodBinding] { get }
}

extension DatabaseService {
  /// All that it answers: its own methods, EventService and JobService.
  public var methodBindings: [MethodBinding] { ownMethodBindings + foundation.methodBindings }

  /// What must run beside the calls; see `ServiceFoundation.background`.
  public func background(
    sleep: @escaping @Sendable (Duration) async throws -> Void, onError: @escaping @Sendable (any Error) -> Void
  ) -> [@Sendable () async throws -> Void] {
    foundation.background(sleep: sleep, onError: onError)
  }
}

/// What every service with a database does alike: its event log, the numbering of events, and its jobs.
public struct ServiceFoundation: Sendable {
  private let log: EventLog
  private let sequencer: Sequencer
  private let jobs: ServiceJobs

  /// Opens the event log. `jobs` are the kinds of long work that the service has beside those of every service. Throws what
  /// `EventLog.open` does.
  public init(
    database: any Database, clock: any Clock, random: any RandomSource, replica: String, jobs: [JobDefinition] = []
  ) async throws {
    log = try await EventLog.open(database, random: random)
    sequencer = Sequencer(database: database, log: log, holder: replica, clock: clock)
    let environment = Environment(database: database, clock: clock, random: random)
    self.jobs = ServiceJobs(Jobs(environment, replica: replica), jobs, environment: environment)
  }

  /// The right to number events, and to give audit leaves their places.
  public var lease: PartitionLease { sequencer.lease }

  /// EventService and JobService.
  public var methodBindings: [MethodBinding] {
    EventServiceEndpoint(log: log).methodBindings + jobs.methodBindings
  }

  /// What must run beside the calls as long as the service does, each in a task of its own that is cancelled at the end: the
  /// numbering of events and the jobs. `sleep` is the event loop's and must end early when cancelled; errors that the loops
  /// survive go to `onError`.
  public func background(
    sleep: @escaping @Sendable (Duration) async throws -> Void, onError: @escaping @Sendable (any Error) -> Void
  ) -> [@Sendable () async throws -> Void] {
    let sequencer = sequencer
    return [{ try await sequencer.run(sleep: sleep, onError: onError) }]
      + jobs.loops(sleep: sleep, onError: onError)
  }
}
