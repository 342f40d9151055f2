import RPCCore
import Synchronization

/// What a process says of its health: one state for itself and all of its services.
public final class HealthRegistry: Sendable {
  /// Watchers at once; more are refused.
  static let maximumWatchers = 1_000

  /// How it is.
  enum Condition: Sendable {
    case starting
    case serving
    /// It stops: nothing follows.
    case stopping
  }

  private struct State {
    var condition = Condition.starting
    var waiters: [UInt64: UnsafeContinuation<Void, Never>] = [:]
    var nextWaiter: UInt64 = 0
  }

  private let state = Mutex(State())
  /// The names that it answers for; "" is the process.
  let services: Set<String>

  /// Asked by this name, a process that serves says whether what it has stored is as it should be. Stands in no list and is not watched:
  /// whoever chooses among replicas must not take it for one of their states.
  public static let integrity = "mainstay.integrity"

  /// Nil for a process that stores nothing.
  let isSound: (@Sendable () -> Bool)?

  /// Answers for these services and for "", the process; and by `isSound` for `integrity`.
  public init(services: [String], isSound: (@Sendable () -> Bool)? = nil) {
    self.services = Set(services + [""])
    self.isSound = isSound
  }

  /// Whether calls are taken now. Once it stops it serves no more.
  public var isServing: Bool {
    get { condition == .serving }
    set { become(newValue ? .serving : .starting) }
  }

  /// Serves no more, and those who watch are told so for the last time.
  public func stop() { become(.stopping) }

  var condition: Condition { state.withLock { $0.condition } }

  private func become(_ condition: Condition) {
    let woken = state.withLock { state in
      if state.condition != .stopping { state.condition = condition }
      defer { state.waiters.removeAll() }
      return state.waiters.values.map { $0 }
    }
    for waiter in woken { waiter.resume() }
  }

  /// Waits until the condition was set again, unless it differs from `known` already; returns early when the task is cancelled.
  func change(from known: Condition) async throws(RPCError) {
    let number: UInt64? = state.withLock { state in
      guard state.waiters.count < HealthRegistry.maximumWatchers else { return nil }
      state.nextWaiter += 1
      return state.nextWaiter
    }
    guard let number else { throw RPCError(.resourceExhausted, "too many health watchers; use Check") }
    await withTaskCancellationHandler {
      await withUnsafeContinuation { continuation in
        let isOver = state.withLock { state in
          if state.condition != known || Task.isCancelled { return true }
          state.waiters[number] = continuation
          return false
        }
        if isOver { continuation.resume() }
      }
    } onCancel: {
      state.withLock { $0.waiters.removeValue(forKey: number) }?.resume()
    }
  }
}
