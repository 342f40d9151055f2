import Core

/// When a replica is left out because calls to it fail (gRFC A50, whose words these are).
public struct OutlierPolicy: Sendable, Equatable {
  /// One of the two ways to find them.
  public struct Algorithm: Sendable, Equatable {
    /// For the success rate: how far below the mean a rate must be, in thousandths of the standard deviation. For failures: how many in a
    /// hundred calls must have failed, or more.
    public var threshold: Int
    /// In how many of a hundred cases a replica that is found is left out; with 0 none is.
    public var enforcementPercent = 100
    /// Replicas with enough calls without which none is judged.
    public var minimumReplicas: Int
    /// Calls in an interval without which a replica is not judged.
    public var minimumCalls: Int
  }

  /// Time between two looks.
  public var interval = Duration.seconds(10)
  /// How long a replica is left out the first time; the second time in a row twice as long, and so on.
  public var baseEjectionTime = Duration.seconds(30)
  /// The longest time.
  public var maximumEjectionTime = Duration.seconds(300)
  /// How many of a hundred replicas may be left out at once, at the most. gRPC leaves out one beyond; here it would be the only one.
  public var maximumPercent = 50
  /// Replicas whose success rate is far below that of the others.
  public var successRate = Algorithm(threshold: 1_900, minimumReplicas: 5, minimumCalls: 100)
  /// Replicas of whose calls too many fail. gRPC asks for five replicas; most services have two.
  public var failurePercentage = Algorithm(threshold: 85, minimumReplicas: 2, minimumCalls: 50)

  /// The defaults.
  public init() {}
}

/// Finds the replicas to which calls fail more than to others, and says when each may be tried again. A pure value: what calls came to, the
/// time and chance come in.
struct OutlierDetector {
  private struct Entry {
    var ejected: UInt64?
    /// How often in a row it was left out: 1 is the base time.
    var multiplier = 0
  }

  let policy: OutlierPolicy
  private var entries: [ObjectIdentifier: Entry] = [:]

  init(_ policy: OutlierPolicy) { self.policy = policy }

  /// Whether a replica is left out now.
  func isEjected(_ replica: ObjectIdentifier) -> Bool { entries[replica]?.ejected != nil }

  /// Looks at what calls came to since the last look.
  mutating func look(
    _ replicas: [(id: ObjectIdentifier, outcomes: Replica.Outcomes)], at now: UInt64, _ random: some RandomSource
  ) {
    let known = entries
    entries = [:]
    for replica in replicas { entries[replica.id] = known[replica.id] ?? Entry() }
    ejectBySuccessRate(replicas, at: now, random)
    ejectByFailures(replicas, at: now, random)
    for id in Array(entries.keys) { letReturn(id, at: now) }
  }

  private mutating func ejectBySuccessRate(
    _ replicas: [(id: ObjectIdentifier, outcomes: Replica.Outcomes)], at now: UInt64, _ random: some RandomSource
  ) {
    let algorithm = policy.successRate
    let judged = replicas.filter { $0.outcomes.total >= max(1, algorithm.minimumCalls) }
    guard algorithm.enforcementPercent > 0, judged.count >= max(1, algorithm.minimumReplicas) else { return }
    let rates = judged.map { Double($0.outcomes.succeeded) / Double($0.outcomes.total) }
    let mean = rates.reduce(0, +) / Double(rates.count)
    let variance = rates.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / Double(rates.count)
    let least = mean - variance.squareRoot() * Double(algorithm.threshold) / 1_000
    for (replica, rate) in zip(judged, rates) where rate < least {
      eject(replica.id, algorithm, at: now, random)
    }
  }

  private mutating func ejectByFailures(
    _ replicas: [(id: ObjectIdentifier, outcomes: Replica.Outcomes)], at now: UInt64, _ random: some RandomSource
  ) {
    let algorithm = policy.failurePercentage
    let judged = replicas.filter { $0.outcomes.total >= max(1, algorithm.minimumCalls) }
    guard algorithm.enforcementPercent > 0, judged.count >= max(1, algorithm.minimumReplicas) else { return }
    for replica in judged where replica.outcomes.failed * 100 > algorithm.threshold * replica.outcomes.total {
      eject(replica.id, algorithm, at: now, random)
    }
  }

  private mutating func eject(
    _ id: ObjectIdentifier, _ algorithm: OutlierPolicy.Algorithm, at now: UInt64, _ random: some RandomSource
  ) {
    let ejected = entries.values.count { $0.ejected != nil }
    guard (ejected + 1) * 100 <= policy.maximumPercent * entries.count, !isEjected(id),
      random.next() % 100 < UInt64(max(0, algorithm.enforcementPercent))
    else { return }
    entries[id]?.ejected = now
    entries[id]?.multiplier += 1
  }

  private mutating func letReturn(_ id: ObjectIdentifier, at now: UInt64) {
    guard let entry = entries[id] else { return }
    guard let ejected = entry.ejected else {
      entries[id]?.multiplier = max(0, entry.multiplier - 1)
      return
    }
    let longest = max(policy.baseEjectionTime, policy.maximumEjectionTime)
    let time = min(policy.baseEjectionTime * entry.multiplier, longest)
    if now >= ejected + time.wholeNanoseconds { entries[id]?.ejected = nil }
  }
}
