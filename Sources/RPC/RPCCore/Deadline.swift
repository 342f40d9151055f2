import Core

/// The point in time, on the monotonic clock, by which a call must have ended.
public struct Deadline: Sendable, Comparable {
  /// On the clock of `Clock.monotonicNanoseconds()`.
  public let monotonicNanoseconds: UInt64

  /// A deadline at a point of the monotonic clock.
  public init(monotonicNanoseconds: UInt64) {
    self.monotonicNanoseconds = monotonicNanoseconds
  }

  /// A deadline so long from now; a negative time is now, a very long one is the end of the clock.
  public init(after timeout: Duration, clock: some Clock) {
    let (seconds, attoseconds) = timeout.components
    guard seconds >= 0, attoseconds >= 0 else {
      self.init(monotonicNanoseconds: clock.monotonicNanoseconds())
      return
    }
    let nanoseconds = UInt64(min(seconds, 9_000_000_000)) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
    let (sum, overflow) = clock.monotonicNanoseconds().addingReportingOverflow(nanoseconds)
    self.init(monotonicNanoseconds: overflow ? .max : sum)
  }

  /// Nanoseconds that are left; 0 when it has passed.
  public func remainingNanoseconds(at now: UInt64) -> UInt64 {
    monotonicNanoseconds > now ? monotonicNanoseconds - now : 0
  }

  /// Order in time.
  public static func < (left: Deadline, right: Deadline) -> Bool {
    left.monotonicNanoseconds < right.monotonicNanoseconds
  }
}
