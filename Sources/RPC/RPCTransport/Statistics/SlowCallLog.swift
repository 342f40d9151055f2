import Core
import Logging
import RPCCore
import Synchronization

/// Tells the log of unary calls that took long, so that an operator sees what was slow without an eye on every call. Calls that
/// stream may live as long as they like.
public final class SlowCallLog: Sendable {
  /// Lines a minute; of more it says how many there were.
  private static let linesPerMinute = 60
  private static let minute: UInt64 = 60_000_000_000

  private struct State {
    var began: UInt64 = 0
    var lines = 0
  }

  private let logger: Logger
  private let nanoseconds: UInt64
  private let clock: any Clock
  private let state = Mutex(State())

  /// A log of calls that take at least so many milliseconds; nil for 0, which means none.
  public init?(milliseconds: Int, logger: Logger, clock: some Clock) {
    guard milliseconds > 0 else { return nil }
    self.logger = logger
    self.clock = clock
    nanoseconds = UInt64(milliseconds) * 1_000_000
  }

  /// Looks at a call that has ended; `more` says what else is known of it.
  @inline(__always)
  public func ended(
    _ method: MethodDescriptor?, _ code: StatusCode, nanoseconds taken: UInt64, _ more: () -> Logger.Metadata
  ) {
    if taken >= nanoseconds, let method, method.kind == .unary { report(method, code, taken, more()) }
  }

  private func report(_ method: MethodDescriptor, _ code: StatusCode, _ taken: UInt64, _ more: Logger.Metadata) {
    let now = clock.monotonicNanoseconds()
    let (isTold, left) = state.withLock { state -> (Bool, Int) in
      var left = 0
      if now &- state.began >= SlowCallLog.minute {
        left = max(0, state.lines - SlowCallLog.linesPerMinute)
        state = State(began: now)
      }
      state.lines += 1
      return (state.lines <= SlowCallLog.linesPerMinute, left)
    }
    if left > 0 { logger.warning("more slow calls than are told", metadata: ["count": "\(left)"]) }
    guard isTold else { return }
    var metadata = more
    metadata["method"] = .string(String(method.path.dropFirst()))
    metadata["code"] = .string(code.description)
    metadata["milliseconds"] = "\(taken / 1_000_000)"
    logger.warning("slow call", metadata: metadata)
  }
}
