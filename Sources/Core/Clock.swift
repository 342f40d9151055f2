import Glibc

/// Where time comes from. Products take it as a parameter, so that tests and the simulation can turn it by hand.
public protocol Clock: Sendable {
  /// Wall-clock time now.
  func now() -> Timestamp
  /// Nanoseconds on a clock that never goes back and has no fixed origin: for timers, deadlines and durations.
  func monotonicNanoseconds() -> UInt64
}

/// The machine's own clocks.
public struct SystemClock: Clock {
  /// The machine's own clocks.
  public init() {}

  /// CLOCK_REALTIME in microseconds.
  public func now() -> Timestamp {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(microsecondsSinceEpoch: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000)
  }

  /// CLOCK_MONOTONIC.
  public func monotonicNanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}
