import Glibc
import RPCCore

/// What one loop has measured so far.
struct LaneFigures: Sendable {
  /// Calls that were due and could not begin before the end: no slot was free.
  static let unsent = "UNSENT"

  /// Latencies of measured calls, from when each was due: of those that ended with OK, and of all others.
  var answered = LatencyHistogram()
  var unanswered = LatencyHistogram()
  /// Measured calls by gRPC status, and `unsent`.
  var outcomes: [String: Int] = [:]
  /// The first message of each outcome that is no OK, as it came.
  var messages: [String: String] = [:]
  /// All replies' messages together.
  var replyBytes = 0
  /// When the last measured call ended, on the loop's clock.
  var lastEndNanoseconds: UInt64 = 0
  /// CPU time of the loop's thread while it measured.
  var cpuNanoseconds: UInt64 = 0
  /// Calls that have begun and not ended.
  var callsUnderWay = 0
  /// Measured calls that ended with OK: counted apart from `outcomes`, since that costs least.
  var succeeded = 0

  /// Latencies of all measured calls.
  var latencies: LatencyHistogram {
    var all = answered
    all.add(contentsOf: unanswered)
    return all
  }

  /// Measured calls that did not end with OK.
  var failed: Int { outcomes.values.reduce(0, +) }

  /// Adds what another loop has measured.
  mutating func add(_ other: LaneFigures) {
    answered.add(contentsOf: other.answered)
    unanswered.add(contentsOf: other.unanswered)
    outcomes.merge(other.outcomes, uniquingKeysWith: +)
    messages.merge(other.messages) { first, _ in first }
    replyBytes += other.replyBytes
    lastEndNanoseconds = max(lastEndNanoseconds, other.lastEndNanoseconds)
    cpuNanoseconds += other.cpuNanoseconds
    callsUnderWay += other.callsUnderWay
    succeeded += other.succeeded
  }
}

/// User and system time of this thread.
func threadCPUNanoseconds() -> UInt64 {
  // RUSAGE_THREAD of Linux, which the module of Glibc does not show.
  let thisThread: __rusage_who_t = 1
  var usage = rusage()
  guard getrusage(thisThread, &usage) == 0 else { return 0 }
  let seconds = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec
  return UInt64(seconds) * 1_000_000_000 + UInt64(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1_000
}
