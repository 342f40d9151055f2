import Synchronization

/// Wakes any number of tasks when something has happened. It counts: a task notes `count`, looks for work, and waits
/// only for what happens after that count, so that nothing between looking and waiting is missed.
public final class AsyncSignal: Sendable {
  private struct State {
    var count: UInt64 = 0
    var waiterNumber: UInt64 = 0
    var waiters: [UInt64: CheckedContinuation<Void, any Error>] = [:]
  }

  private let state = Mutex(State())
  private let maximumWaiters: Int

  /// A signal for at most so many waiting tasks; the next gets `StorageError.overloaded`.
  public init(maximumWaiters: Int = 16_384) { self.maximumWaiters = maximumWaiters }

  /// How often it was raised.
  public var count: UInt64 { state.withLock { $0.count } }

  /// Wakes all who wait.
  public func raise() {
    let woken = state.withLock { state in
      state.count += 1
      defer { state.waiters = [:] }
      return state.waiters.values
    }
    for waiter in woken { waiter.resume() }
  }

  /// Returns when it has been raised more often than `count`: at once, if that is so. Throws `CancellationError` when
  /// the task is cancelled.
  public func wait(after count: UInt64) async throws {
    let number = state.withLock { state in
      state.waiterNumber += 1
      return state.waiterNumber
    }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let outcome: Result<Void, any Error>? = state.withLock { state in
          if state.count > count { return .success(()) }
          // Under the lock: a cancellation from here on finds the waiter.
          if Task.isCancelled { return .failure(CancellationError()) }
          if state.waiters.count >= maximumWaiters {
            return .failure(StorageError.overloaded(queue: "subscribers", limit: maximumWaiters))
          }
          state.waiters[number] = continuation
          return nil
        }
        if let outcome { continuation.resume(with: outcome) }
      }
    } onCancel: {
      state.withLock { $0.waiters.removeValue(forKey: number) }?.resume(throwing: CancellationError())
    }
  }
}
