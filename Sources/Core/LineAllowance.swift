/// How many lines of one kind may go to a log, so that what happens again and again fills no disk. A pure value: time comes in.
public struct LineAllowance: Sendable {
  private let burst: Double
  private let secondsPerLine: Double
  private var lines: Double
  private var last: UInt64 = 0
  private var untold = 0

  /// So many lines at once, and one more each time that so many seconds have gone by.
  public init(burst: Int, secondsPerLine: Int) {
    self.burst = Double(burst)
    self.secondsPerLine = Double(max(1, secondsPerLine))
    lines = self.burst
  }

  /// Whether a line may be written now: how many were not since the last one; nil if this one may not either. `now` is in
  /// nanoseconds of a clock that never goes back.
  public mutating func take(at now: UInt64) -> Int? {
    lines = min(burst, lines + Double(now - min(now, last)) / 1e9 / secondsPerLine)
    last = now
    guard lines >= 1 else {
      untold += 1
      return nil
    }
    lines -= 1
    defer { untold = 0 }
    return untold
  }
}
