import Core
import RPCCore
import ServiceRuntime

/// How much the gateway lets through: rates of callers, calls at once to a service, how long a call may take.
struct ProtectionSettings: Sendable, Equatable {
  /// Role of those who look after the system.
  private static let administratorRole = "administrator"
  /// Longest time that a call may be given, a day.
  private static let mostSeconds = 86_400
  private static let mostAtOnce = 1_000_000
  private static let mostToleratedMilliseconds = 60_000
  /// A burst that is not named is so many seconds' worth.
  private static let burstSeconds = 2

  var rates = RateRules()
  var concurrency = AdaptiveLimit.Settings()
  /// Longest time of a unary call, and of streams and other bulk calls; nil means any.
  var longestUnaryNanoseconds: UInt64?
  var longestBulkNanoseconds: UInt64?

  /// The settings, with what holds when nobody says anything. Services and administrators, who import and repair, are not rated
  /// unless somebody says so.
  static let keys = [
    ConfigurationKey(
      "rates.read",
      "calls a second of one caller that change nothing, for example 500 or 500 burst 2000; 0: any number",
      default: "1000 burst 5000"),
    ConfigurationKey("rates.write", "the same for calls that change something", default: "200 burst 1000"),
    ConfigurationKey("rates.bulk", "the same for streams, imports, jobs and reports", default: "20 burst 100"),
    ConfigurationKey("rates.roles.*", "rates of a role: rates.roles.ROLE.read, .write and .bulk"),
    ConfigurationKey("rates.callers.*", "rates of one caller: rates.callers.NAME.read, .write and .bulk"),
    ConfigurationKey(
      "concurrency.least", "calls at once that a service is given in any case",
      default: "\(AdaptiveLimit.Settings().least)"),
    ConfigurationKey(
      "concurrency.most", "most calls at once to a service, all its replicas together; 0: no limit",
      default: "\(AdaptiveLimit.Settings().most)"),
    ConfigurationKey(
      "concurrency.tolerated_milliseconds",
      "how much longer than twice their usual time calls may take before fewer are let through",
      default: "\(AdaptiveLimit.Settings().toleratedNanoseconds / 1_000_000)"),
    ConfigurationKey(
      "deadline.unary_seconds", "longest time of a unary call, also of one that names none; 0: any", default: "120"),
    ConfigurationKey(
      "deadline.bulk_seconds", "the same for streams, imports, jobs and reports", default: "0"),
  ]

  /// Nothing is limited.
  init() {}

  /// As the configuration says. Throws with the setting and what it may be.
  init(_ configuration: Configuration) throws(ConfigurationError) {
    for work in MethodClass.allCases {
      rates.everybody[work] = try ProtectionSettings.rate("rates.\(work)", configuration)
    }
    for role in [serviceRole, ProtectionSettings.administratorRole] {
      for work in MethodClass.allCases { rates.roles[role, default: [:]][work] = .some(nil) }
    }
    try ProtectionSettings.read("rates.roles", configuration, into: &rates.roles)
    try ProtectionSettings.read("rates.callers", configuration, into: &rates.callers)
    concurrency.most = try configuration.integer("concurrency.most", in: 0...ProtectionSettings.mostAtOnce)
    let bound = concurrency.most == 0 ? ProtectionSettings.mostAtOnce : concurrency.most
    concurrency.least = try configuration.integer("concurrency.least", in: 1...bound)
    let tolerated = try configuration.integer(
      "concurrency.tolerated_milliseconds", in: 1...ProtectionSettings.mostToleratedMilliseconds)
    concurrency.toleratedNanoseconds = UInt64(tolerated) * 1_000_000
    longestUnaryNanoseconds = try ProtectionSettings.longest("deadline.unary_seconds", configuration)
    longestBulkNanoseconds = try ProtectionSettings.longest("deadline.bulk_seconds", configuration)
  }

  private static func longest(_ name: String, _ configuration: Configuration) throws(ConfigurationError) -> UInt64? {
    let seconds = try configuration.integer(name, in: 0...mostSeconds)
    return seconds == 0 ? nil : UInt64(seconds) * 1_000_000_000
  }

  /// rates.roles.ROLE.CLASS and rates.callers.NAME.CLASS; a name may have dots.
  private static func read(
    _ prefix: String, _ configuration: Configuration, into rules: inout [String: RateRules.Rule]
  ) throws(ConfigurationError) {
    for name in configuration.names(below: prefix) {
      guard let work = MethodClass.allCases.first(where: { name.hasSuffix(".\($0)") }) else {
        throw ConfigurationError("\(prefix).\(name): expected \(prefix).NAME.read, .write or .bulk")
      }
      let owner = String(name.dropLast("\(work)".count + 1))
      rules[owner, default: [:]][work] = .some(try rate("\(prefix).\(name)", configuration))
    }
  }

  /// "500", "500 burst 2000" or "0".
  private static func rate(_ name: String, _ configuration: Configuration) throws(ConfigurationError) -> Rate? {
    let words = configuration.text(name).split(separator: " ")
    let numbers = words.enumerated().filter { $0.offset != 1 }.map { Int($0.element) }
    let isWellFormed = words.count == 1 || words.count == 3 && words[1] == "burst"
    guard isWellFormed, let perSecond = numbers[0], (0...Rate.maximum).contains(perSecond),
      let burst = numbers.count == 2 ? numbers[1] : perSecond * burstSeconds,
      numbers.count == 1 || (1...Rate.maximum).contains(burst)
    else {
      throw ConfigurationError(
        "\(name): \(configuration.text(name)) is no rate; write calls a second, for example 500 or 500 burst 2000, or 0 for any number"
      )
    }
    return perSecond == 0 ? nil : Rate(perSecond: perSecond, burst: burst)
  }
}
