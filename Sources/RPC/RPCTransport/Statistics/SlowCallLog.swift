import Core
import Logging
import RPCCore
import Synchronization

/// Tells the log of unary calls that took long, so that an operator sees what was slow without an eye on every call. Calls that
/// stream may live as long as they like.
public final class SlowCallLog: Sendable {
  private let logger: Logger
  private let nanoseconds: UInt64
  private let clock: any Clock
  /// Sixty at once, and one more a second; the next line says how many were left out.
  private let lines = Mutex(LineAllowance(burst: 60, secondsPerLine: 1))

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
    guard let untold = lines.withLock({ $0.take(at: now) }) else { return }
    var metadata = more
    metadata["method"] = .string(String(method.path.dropFirst()))
    metadata["code"] = .string(code.description)
    metadata["milliseconds"] = "\(taken / 1_000_000)"
    if untold > 0 { metadata["not_logged_before"] = "\(untold)" }
    logger.warning("slow call", metadata: metadata)
  }
}
