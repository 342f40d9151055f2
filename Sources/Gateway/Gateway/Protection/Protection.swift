import Core
import Protobuf
import RPCCore
import ServiceRuntime
import Synchronization

/// What stands between callers and services so that neither can be overrun: the rate of each caller, the calls at once to each service,
/// the time of each call. One for all event loops; its settings may change while calls run.
final class Protection: Sendable {
  /// What a refused caller waits at least, and by how much it is varied, so that not all come back at once.
  private static let comeBackNanoseconds: UInt64 = 100_000_000
  private static let comeBackSpread: UInt64 = 200_000_000

  private struct State {
    var settings: ProtectionSettings
    /// Goes up with each change of the settings.
    var version = 0
    var limits: [String: UpstreamLimit] = [:]
  }

  private let state: Mutex<State>
  private let longestUnary: Atomic<UInt64>
  private let longestBulk: Atomic<UInt64>
  private let rates = CallerRates()
  private let classes: MethodClasses

  init(_ settings: ProtectionSettings, _ pool: DescriptorPool) {
    state = Mutex(State(settings: settings))
    longestUnary = Atomic(settings.longestUnaryNanoseconds ?? .max)
    longestBulk = Atomic(settings.longestBulkNanoseconds ?? .max)
    classes = MethodClasses(pool)
  }

  /// Lets a call through, or throws why not and when to come again. Nil for calls that take no place at the service. Who has no identity
  /// has no rate: only routes that are public let such callers in.
  func admit(
    _ method: MethodDescriptor, to upstream: String, caller: Caller?, at now: UInt64, _ random: some RandomSource
  ) throws(RPCError) -> Admission? {
    let work = classes[method]
    let (limit, rules, version) = state.withLock { state in
      (Protection.limit(upstream, &state, at: now), caller == nil ? nil : state.settings.rates, state.version)
    }
    if let caller, let rules, let refusal = rates.take(work, of: caller, rules, version: version, at: now) {
      throw Protection.refusal(caller, work, refusal.rate, refusal.waitNanoseconds)
    }
    if work == .bulk {
      if method.isSubscription || limit.mayBegin(work, at: now) { return nil }
    } else {
      let isProgram = caller?.roles.contains(serviceRole) ?? false
      let priority = isProgram ? AdaptiveLimit.Priority.background : .interactive
      if limit.takePlace(priority, work, at: now) { return Admission(limit, priority, method) }
    }
    throw .comeBack(
      afterNanoseconds: Protection.comeBackNanoseconds + random.next() % Protection.comeBackSpread,
      "the \(upstream) service has as many calls as it can answer in time")
  }

  /// How long a call may take: what its client asks for, and no longer than the settings say.
  func timeout(_ asked: UInt64?, of method: MethodDescriptor) -> UInt64? {
    let isBulk = classes[method] == .bulk
    let longest = isBulk ? longestBulk.load(ordering: .relaxed) : longestUnary.load(ordering: .relaxed)
    return longest == .max ? asked : min(asked ?? .max, longest)
  }

  /// Other settings hold from now on, for these upstreams: for calls that begin, and for those that run when they end.
  func update(_ settings: ProtectionSettings, upstreams: Set<String>) {
    longestUnary.store(settings.longestUnaryNanoseconds ?? .max, ordering: .relaxed)
    longestBulk.store(settings.longestBulkNanoseconds ?? .max, ordering: .relaxed)
    state.withLock { state in
      state.settings = settings
      state.version += 1
      state.limits = state.limits.filter { upstreams.contains($0.key) }
      for limit in state.limits.values { limit.update(settings.concurrency) }
    }
  }

  private static func limit(_ upstream: String, _ state: inout State, at now: UInt64) -> UpstreamLimit {
    if let limit = state.limits[upstream] { return limit }
    // Names of upstreams come from the configuration, so there are few.
    let limit = UpstreamLimit(state.settings.concurrency, at: now)
    state.limits[upstream] = limit
    return limit
  }

  private static func refusal(_ caller: Caller, _ work: MethodClass, _ rate: Rate, _ wait: UInt64) -> RPCError {
    let quota = "\(rate.perSecond) \(work) calls a second, \(rate.burst) at once"
    return .comeBack(
      afterNanoseconds: wait, "\(caller.name) has used up its rate of \(quota)",
      details: [.quotaFailure(subject: "caller:\(caller.name)", "rates.\(work): \(quota)")])
  }
}

// MARK: figures

extension Protection {
  /// For the operators' /metrics.
  var gauges: [Gauge] {
    let limits = state.withLock { $0.limits }.sorted { $0.key < $1.key }.map { ($0.key, $0.value.facts) }
    return refusals(limits) + limits.compactMap { name, facts in facts.limit.map { Protection.limit(name, $0) } }
      + limits.map { name, facts in
        Gauge(
          "mainstay_gateway_calls_in_flight", help: "Unary calls under way to a service.", labels: ["upstream": name],
          value: Double(facts.inFlight))
      }
  }

  private static func limit(_ upstream: String, _ value: Int) -> Gauge {
    Gauge(
      "mainstay_gateway_concurrency_limit", help: "Unary calls that a service is given at once, as it is now.",
      labels: ["upstream": upstream], value: Double(value))
  }

  private func refusals(_ limits: [(name: String, facts: UpstreamLimit.Facts)]) -> [Gauge] {
    let name = "mainstay_gateway_calls_refused_total"
    let help =
      "Calls that were refused with RESOURCE_EXHAUSTED: the caller's rate, or the service's limit of calls at once."
    return MethodClass.allCases.map {
      Gauge(name, help: help, labels: ["reason": "rate", "class": "\($0)"], value: Double(rates.refusals(of: $0)))
    }
      + limits.flatMap { upstream, facts in
        MethodClass.allCases.map {
          Gauge(
            name, help: help, labels: ["reason": "concurrency", "class": "\($0)", "upstream": upstream],
            value: Double(facts.refused[$0]))
        }
      }
  }
}
