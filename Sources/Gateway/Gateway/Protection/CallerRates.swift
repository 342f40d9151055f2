import Core
import RPCCore
import Synchronization

/// One of something for each class.
struct PerClass<Value> {
  var read: Value
  var write: Value
  var bulk: Value

  init(_ make: () -> Value) { (read, write, bulk) = (make(), make(), make()) }

  subscript(_ work: MethodClass) -> Value {
    get {
      switch work {
      case .read: read
      case .write: write
      case .bulk: bulk
      }
    }
    _modify {
      switch work {
      case .read: yield &read
      case .write: yield &write
      case .bulk: yield &bulk
      }
    }
  }
}

extension PerClass: Sendable where Value: Sendable {}
extension PerClass: Equatable where Value: Equatable {}

/// Which rates a caller has: by its name, or else by its roles, or else those of everybody.
struct RateRules: Sendable, Equatable {
  /// Calls of each class that may begin in a second; nil means as many as the caller likes.
  typealias Rates = PerClass<Rate?>
  /// What a rule says; a class that is not named is left to the next rule.
  typealias Rule = [MethodClass: Rate?]

  var everybody = Rates { nil }
  var roles: [String: Rule] = [:]
  var callers: [String: Rule] = [:]

  func rates(of caller: Caller) -> Rates {
    var rates = everybody
    for work in MethodClass.allCases {
      if let rate = callers[caller.name]?[work] {
        rates[work] = rate
      } else {
        let granted = caller.roles.compactMap { roles[$0]?[work] }
        if !granted.isEmpty { rates[work] = RateRules.mostGenerous(granted) }
      }
    }
    return rates
  }

  /// Who has several roles has the best that one of them gives.
  private static func mostGenerous(_ rates: [Rate?]) -> Rate? {
    if rates.contains(nil) { return nil }
    return rates.compactMap { $0 }.max { $0.perSecond < $1.perSecond }
  }
}

/// The token buckets of all callers, of all event loops together.
final class CallerRates: Sendable {
  /// Callers whose buckets are known at once; beyond it the one that called longest ago is forgotten, and begins anew with full ones.
  static let maximumCallers = 65_536
  /// Parts of the table, so that loops seldom wait for each other.
  private static let parts = 16
  /// How long a caller keeps its rates when its roles have changed.
  private static let rulesNanoseconds: UInt64 = 10_000_000_000

  private struct Buckets {
    var rates = RateRules.Rates { nil }
    /// Until when `rates` are known to hold, and of which rules they are.
    var staleAt: UInt64 = 0
    var version = -1
    var tokens = PerClass { TokenBucket() }
  }

  private final class Part: Sendable {
    let buckets = Mutex(RecentlyUsed<String, Buckets>(capacity: maximumCallers / parts))
  }

  private let parts = (0..<CallerRates.parts).map { _ in Part() }
  private let refused = PerClass { Counter() }

  /// Takes a token of a caller for a call of this class; otherwise tells its rate, and in how many nanoseconds there will be one.
  func take(
    _ work: MethodClass, of caller: Caller, _ rules: RateRules, version: Int, at now: UInt64
  ) -> (rate: Rate, waitNanoseconds: UInt64)? {
    let part = parts[CallerRates.part(of: caller.name)]
    let refusal: (Rate, UInt64)? = part.buckets.withLock { buckets in
      buckets.with(caller.name, make: { Buckets() }) { buckets in
        if now >= buckets.staleAt || buckets.version != version {
          buckets.rates = rules.rates(of: caller)
          buckets.staleAt = now + CallerRates.rulesNanoseconds
          buckets.version = version
        }
        guard let rate = buckets.rates[work] else { return nil }
        return buckets.tokens[work].take(rate, at: now).map { (rate, $0) }
      }
    }
    if refusal != nil { refused[work].count.add(1, ordering: .relaxed) }
    return refusal.map { ($0.0, $0.1) }
  }

  /// Calls that were refused, of each class.
  func refusals(of work: MethodClass) -> Int { refused[work].count.load(ordering: .relaxed) }

  private static func part(of name: String) -> Int {
    let last = name.utf8.last ?? 0
    return (name.utf8.count &* 31 &+ Int(last)) % parts
  }
}

/// A number that all loops count up.
final class Counter: Sendable {
  let count = Atomic<Int>(0)
}
