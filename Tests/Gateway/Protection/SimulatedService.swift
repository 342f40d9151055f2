import Core

@testable import Gateway

/// A service with a line of calls before it, in time that passes by counting: what queueing theory says of it is known.
struct SimulatedService {
  /// What came of the calls of one kind.
  struct Outcome {
    var answered: [UInt64] = []
    var refused = 0

    /// Nanoseconds.
    func latency(atShare share: Double) -> UInt64 {
      let sorted = answered.sorted()
      return sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
    }
  }

  /// Who calls, how often a second and which method.
  struct Callers {
    var priority = AdaptiveLimit.Priority.interactive
    var callsPerSecond: Double
    var method = 1
  }

  /// What one call of each method costs.
  var costNanoseconds: [Int: UInt64]
  /// Calls that it works on at once.
  var workers = 1
  private(set) var limit: AdaptiveLimit
  private(set) var now: UInt64 = 1_000_000_000
  private var random = SeededGenerator(seed: 26)
  private var freeAt: [UInt64]
  private var running: [(end: UInt64, began: UInt64, callers: Callers)] = []

  init(_ settings: AdaptiveLimit.Settings, costNanoseconds: [Int: UInt64], workers: Int = 1) {
    limit = AdaptiveLimit(settings, at: now)
    self.costNanoseconds = costNanoseconds
    self.workers = workers
    freeAt = [UInt64](repeating: 0, count: workers)
  }

  /// Offers calls for so many seconds, whether earlier ones were answered or not.
  mutating func offer(_ callers: [Callers], seconds: Double) -> [Outcome] {
    var outcomes = [Outcome](repeating: Outcome(), count: callers.count)
    let end = now + UInt64(seconds * 1e9)
    var next = callers.map { now + pause($0) }
    while let (index, time) = next.enumerated().min(by: { $0.element < $1.element }), time < end {
      next[index] = time + pause(callers[index])
      settle(until: time)
      now = time
      if let latency = call(callers[index]) {
        outcomes[index].answered.append(latency)
      } else {
        outcomes[index].refused += 1
      }
    }
    settle(until: end)
    now = end
    return outcomes
  }

  /// Until the next call of callers that do not wait for each other (a Poisson process).
  private mutating func pause(_ callers: Callers) -> UInt64 {
    let share = Double.random(in: Double.leastNonzeroMagnitude..<1, using: &random)
    return UInt64(-share.logarithm / callers.callsPerSecond * 1e9)
  }

  private mutating func call(_ callers: Callers) -> UInt64? {
    guard !limit.refuses(callers.priority, at: now) else { return nil }
    limit.began(callers.priority)
    let worker = freeAt.indices.min { freeAt[$0] < freeAt[$1] } ?? 0
    let end = max(now, freeAt[worker]) + (costNanoseconds[callers.method] ?? 0)
    freeAt[worker] = end
    let place = running.lastIndex { $0.end <= end }.map { $0 + 1 } ?? 0
    running.insert((end, now, callers), at: place)
    return end - now
  }

  private mutating func settle(until time: UInt64) {
    let done = running.prefix { $0.end <= time }
    for call in done {
      let callers = call.callers
      limit.ended(callers.priority, method: callers.method, hasExpired: false, began: call.began, at: call.end)
    }
    running.removeFirst(done.count)
  }
}
