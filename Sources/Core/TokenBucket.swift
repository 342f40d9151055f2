/// How often something may happen in the long run, and how often at once.
public struct Rate: Sendable, Equatable {
  /// Most of either, so that sums of nanoseconds stay small.
  public static let maximum = 10_000_000
  private static let nanosecondsPerSecond: UInt64 = 1_000_000_000

  /// In the long run.
  public let perSecond: Int
  /// At once, after a pause.
  public let burst: Int
  let intervalNanoseconds: UInt64

  /// Both are at least 1 and at most `maximum`.
  public init(perSecond: Int, burst: Int) {
    self.perSecond = min(max(1, perSecond), Rate.maximum)
    self.burst = min(max(1, burst), Rate.maximum)
    intervalNanoseconds = Rate.nanosecondsPerSecond / UInt64(self.perSecond)
  }
}

/// A bucket that fills at a steady rate, from which everything that happens takes a token. It is kept as the time at which it will
/// be full (the virtual scheduling form of ITU-T I.371's generic cell rate algorithm), so it is eight bytes and needs no timer, and its
/// rate may change at any time. A pure value: time comes in.
public struct TokenBucket: Sendable, Equatable {
  private var fullAt: UInt64 = 0

  /// A full bucket.
  public init() {}

  /// Takes a token, or gives the nanoseconds until there is one. `now` is of a clock that never goes back.
  public mutating func take(_ rate: Rate, at now: UInt64) -> UInt64? {
    let next = max(fullAt, now) + rate.intervalNanoseconds
    let most = now + rate.intervalNanoseconds * UInt64(rate.burst)
    guard next <= most else { return next - most }
    fullAt = next
    return nil
  }
}
