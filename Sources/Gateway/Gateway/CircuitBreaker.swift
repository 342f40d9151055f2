import ServiceRuntime
import Synchronization

/// How many calls to one service are under way, on all event loops: one that is too many fails at once, so that a service which hangs
/// does not take the gateway with it.
final class CircuitBreaker: Sendable {
  private let calls = Atomic(0)
  private let waiting = Atomic(0)
  private let refused = Atomic(0)

  /// A call begins; false if so many are under way.
  func begin(most: Int) -> Bool { begin(calls, most) }

  /// A call that has begun ends.
  func end() { calls.subtract(1, ordering: .relaxed) }

  /// A call waits for a connection; false if so many do.
  func beginWaiting(most: Int) -> Bool { begin(waiting, most) }

  /// A call that has waited has a connection, or none.
  func endWaiting() { waiting.subtract(1, ordering: .relaxed) }

  private func begin(_ count: borrowing Atomic<Int>, _ most: Int) -> Bool {
    guard count.add(1, ordering: .relaxed).oldValue >= most else { return true }
    count.subtract(1, ordering: .relaxed)
    refused.add(1, ordering: .relaxed)
    return false
  }

  fileprivate var figures: (calls: Int, waiting: Int, refused: Int) {
    (calls.load(ordering: .relaxed), waiting.load(ordering: .relaxed), refused.load(ordering: .relaxed))
  }
}

/// Those of all services that there are or were: they outlast changes of the configuration, as the calls that they count do.
final class CircuitBreakers: Sendable {
  private let all = Mutex<[String: CircuitBreaker]>([:])

  func breaker(ofUpstream name: String) -> CircuitBreaker {
    all.withLock { all in
      if let known = all[name] { return known }
      let breaker = CircuitBreaker()
      all[name] = breaker
      return breaker
    }
  }

  var gauges: [Gauge] {
    let figures = all.withLock { $0.mapValues(\.figures) }.sorted { $0.key < $1.key }
    func gauges(_ name: String, _ help: String, _ value: ((calls: Int, waiting: Int, refused: Int)) -> Int) -> [Gauge] {
      figures.map { Gauge(name, help: help, labels: ["upstream": $0.key], value: Double(value($0.value))) }
    }
    return gauges("mainstay_upstream_calls", "Calls to the service that are under way.", \.calls)
      + gauges("mainstay_upstream_waiting_calls", "Calls that wait for a connection to the service.", \.waiting)
      + gauges(
        "mainstay_upstream_refused_calls_total", "Calls that failed because too many were under way or waited.",
        \.refused)
  }
}
