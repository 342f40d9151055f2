import Core

/// Times between attempts to connect, in the manner of gRPC (connection-backoff.md): growing, with jitter, bounded. Begins
/// lower than gRPC does and stays lower, since the services of one installation restart in well under a second.
struct Backoff: Equatable {
  private static let firstNanoseconds = 100_000_000.0
  /// Longest time between two attempts, unless the connection's owner asks for another.
  static let standardMaximum = Duration.seconds(5)
  private static let factor = 1.6
  private static let jitter = 0.2

  private let maximumNanoseconds: Double
  private var nextNanoseconds: Double

  init(maximum: Duration = Backoff.standardMaximum) {
    maximumNanoseconds = maximum / .nanoseconds(1)
    nextNanoseconds = min(Backoff.firstNanoseconds, maximumNanoseconds)
  }

  /// The time to wait now; the next one is longer.
  mutating func next(_ random: some RandomSource) -> UInt64 {
    let base = nextNanoseconds
    nextNanoseconds = min(base * Backoff.factor, maximumNanoseconds)
    let share = Double(random.next() >> 11) / Double(1 << 53)
    return UInt64(max(0, base * (1 + Backoff.jitter * (2 * share - 1))))
  }

  /// A connection stood: begin anew.
  mutating func reset() { nextNanoseconds = min(Backoff.firstNanoseconds, maximumNanoseconds) }
}
