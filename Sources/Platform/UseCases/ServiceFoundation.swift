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

  /// What it takes by posts from systems outside.
  var postKinds: [PostKind] { get }

  /// Its own methods, without the foundation's.
  var ownMethodBindings: [MethodBinding] { get }
}

extension DatabaseService {
  /// Nothing.
  public var postKinds: [PostKind] { [] }

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
  /// The service's events.
  public let log: EventLog
  private let sequencer: Sequencer
  private let jobs: ServiceJobs
  private let subscribers: Subscribers
  /// Which events are kept.
  public let retention = EventRetentionSetting()

  /// Opens the event log. `jobs` are the kinds of long work that the service has beside those of every service. Throws what
  /// `EventLog.open` does.
  public init(
    database: any Database, clock: any Clock, random: any RandomSource, replica: String, jobs: [JobDefinition] = []
  ) async throws {
    log = try await EventLog.open(database, random: random)
    sequencer = Sequencer(database: database, log: log, holder: replica, clock: clock)
    subscribers = Subscribers(clock: clock)
    let environment = Environment(database: database, clock: clock, random: random)
    self.jobs = ServiceJobs(
      Jobs(environment, replica: replica),
      jobs + EventLogJobs(log: log, clock: clock, retention: retention).definitions, environment: environment)
  }

  /// The right to number events, and to give audit leaves their places.
  public var lease: PartitionLease { sequencer.lease }

  /// EventService, EventLogService and JobService.
  public var methodBindings: [MethodBinding] {
    EventServiceEndpoint(log: log, subscribers: subscribers).methodBindings
      + EventLogEndpoint(log: log, retention: retention).methodBindings + jobs.methodBindings
  }

  /// How far the numbering of events is, and who takes them.
  public func eventFigures() async throws -> EventFigures {
    let state = try await log.state()
    let subscribers = subscribers.figures
    return EventFigures(
      partition: log.partition, lastPosition: state.lastPosition, unnumbered: state.unnumbered,
      subscribers: subscribers.now, subscribersCutOff: subscribers.cutOff)
  }

  /// What must run beside the calls as long as the service does, each in a task of its own that is cancelled at the end: the
  /// numbering of events and the jobs. `sleep` is the event loop's and must end early when cancelled; errors that the loops
  /// survive go to `onError`.
  public func background(
    sleep: @escaping @Sendable (Duration) async throws -> Void, onError: @escaping @Sendable (any Error) -> Void
  ) -> [@Sendable () async throws -> Void] {
    let (sequencer, subscribers) = (sequencer, subscribers)
    return [
      { try await sequencer.run(sleep: sleep, onError: onError) }, { try await subscribers.watch(sleep: sleep) },
    ]
      + jobs.loops(sleep: sleep, onError: onError)
  }
}

/// How far a service's events are numbered, and who takes them, for its metrics.
public struct EventFigures: Sendable, Equatable {
  /// Which log.
  public let partition: Int64
  /// The position given last.
  public let lastPosition: Int64
  /// Events that are committed and have no position yet: no subscriber sees them.
  public let unnumbered: Int64
  /// Streams of subscribers now.
  public let subscribers: Int
  /// Subscribers that were cut off because they did not read, since the process began.
  public let subscribersCutOff: Int
}
