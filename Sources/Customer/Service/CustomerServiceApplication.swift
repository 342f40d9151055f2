import Core
import Events
import RPCCore
import Storage

/// The customer service (C1, C2, C8): parties, customers, policies and their events, on a database that is given to it.
public struct CustomerServiceApplication: Sendable {
  /// The service's tables. The database adds the storage layer's own.
  public static var migrations: [Migration] { CustomerSchema.migrations }

  private let environment: Environment
  private let log: EventLog
  private let sequencer: Sequencer

  /// Opens the service on a database that has been migrated. Throws what `EventLog.open` does.
  ///
  /// `replica` is this process's stable name: after a restart it goes on numbering events at once.
  public init(
    database: any Database, clock: any Clock, random: any RandomSource, replica: String = "mainstay-customer"
  ) async throws {
    environment = Environment(database: database, clock: clock, random: random)
    log = try await EventLog.open(database, random: random)
    sequencer = Sequencer(database: database, log: log, holder: replica, clock: clock)
  }

  /// CustomerService, PolicyService and EventService.
  public var methodBindings: [MethodBinding] {
    CustomerEndpoint(environment: environment).methodBindings + PolicyEndpoint(environment: environment).methodBindings
      + EventServiceEndpoint(log: log).methodBindings
  }

  /// What must run beside the calls as long as the service does, each in a task of its own that is cancelled at the end: the
  /// numbering of events and the removal of answers that are no longer kept. `sleep` is the event loop's and must end early when
  /// cancelled; errors that the loops survive go to `onError`.
  public func background(
    sleep: @escaping @Sendable (Duration) async throws -> Void, onError: @escaping @Sendable (any Error) -> Void
  ) -> [@Sendable () async throws -> Void] {
    let (sequencer, housekeeping) = (sequencer, Housekeeping(environment: environment))
    return [
      { try await sequencer.run(sleep: sleep, onError: onError) },
      { try await housekeeping.run(sleep: sleep, onError: onError) },
    ]
  }
}

/// Removes answers to repeated requests that are older than seven days.
struct Housekeeping: Sendable {
  /// Pause between two rounds.
  static let interval = Duration.seconds(3_600)

  let environment: Environment

  /// Until the task is cancelled.
  func run(
    sleep: @Sendable (Duration) async throws -> Void, onError: @Sendable (any Error) -> Void
  ) async throws {
    let store = IdempotencyStore(database: environment.database)
    while true {
      do {
        while try await store.expire(now: environment.clock.now()) == IdempotencyStore.maximumExpiredRows {}
      } catch let error as CancellationError {
        throw error
      } catch {
        onError(error)
      }
      try await sleep(Housekeeping.interval)
    }
  }
}
