import Core
import Storage

/// Removes answers to repeated requests that are older than seven days.
struct Housekeeping: Sendable {
  /// Pause between two rounds.
  static let interval = Duration.seconds(3_600)

  let database: any Database
  let clock: any Clock

  /// Until the task is cancelled.
  func run(
    sleep: @Sendable (Duration) async throws -> Void, onError: @Sendable (any Error) -> Void
  ) async throws {
    let store = IdempotencyStore(database: database)
    while true {
      do {
        while try await store.expire(now: clock.now()) == IdempotencyStore.maximumExpiredRows {}
      } catch let error as CancellationError {
        throw error
      } catch {
        onError(error)
      }
      try await sleep(Housekeeping.interval)
    }
  }
}
