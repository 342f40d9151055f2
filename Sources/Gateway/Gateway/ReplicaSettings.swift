import RPCTransport
import ServiceRuntime

/// Which replicas of the services get calls, and how many.
struct ReplicaSettings: Sendable {
  private enum Switch: String, CaseIterable { case on, off }

  /// A day: beyond it an operator has changed the configuration.
  private static let mostSeconds = 86_400

  private let resolutionAge: Duration?
  private let healthService: String?
  private let outliers: OutlierPolicy?
  /// Calls to one service that may be under way, and that may wait for a connection.
  let maximumCalls: Int
  let maximumWaiting: Int

  static let keys = [
    ConfigurationKey(
      "replicas.resolve_seconds",
      "how long the addresses of a name are taken for right while none is lost; 0 means for ever",
      default: "30"),
    ConfigurationKey(
      "replicas.health_checks", "on or off: whether replicas are asked whether they serve (grpc.health.v1)",
      default: "on"),
    ConfigurationKey(
      "outlier_ejection.interval_seconds", "time between two looks for replicas to which calls fail; 0 means never",
      default: "10"),
    ConfigurationKey(
      "outlier_ejection.base_seconds", "how long such a replica gets no calls; the next time in a row longer",
      default: "30"),
    ConfigurationKey("outlier_ejection.maximum_seconds", "the longest that it gets none", default: "300"),
    ConfigurationKey("outlier_ejection.maximum_percent", "replicas that get none at once, at the most", default: "50"),
    ConfigurationKey(
      "outlier_ejection.failure_percent", "failed calls in a hundred beyond which a replica is one; 100 means none is",
      default: "85"),
    ConfigurationKey(
      "outlier_ejection.failure_calls", "calls in an interval without which that is not looked at", default: "50"),
    ConfigurationKey(
      "outlier_ejection.rate_deviations",
      "standard deviations, in thousandths, below the mean success rate of five replicas at least; 0 means none",
      default: "1900"),
    ConfigurationKey(
      "outlier_ejection.rate_calls", "calls in an interval without which that is not looked at", default: "100"),
    ConfigurationKey(
      "circuit_breaker.calls", "calls to one service that may be under way; more fail at once", default: "20000"),
    ConfigurationKey(
      "circuit_breaker.waiting", "calls that may wait for a connection to one service; more fail at once",
      default: "10000"),
  ]

  init(_ configuration: Configuration) throws {
    func seconds(_ name: String, from least: Int) throws -> Duration {
      .seconds(try configuration.integer(name, in: least...ReplicaSettings.mostSeconds))
    }
    func number(_ name: String, in range: ClosedRange<Int>) throws -> Int { try configuration.integer(name, in: range) }
    let age = try seconds("replicas.resolve_seconds", from: 0)
    resolutionAge = age == .zero ? nil : age
    healthService = try configuration.choice("replicas.health_checks", Switch.self) == .on ? "" : nil
    var outliers = OutlierPolicy()
    outliers.interval = try seconds("outlier_ejection.interval_seconds", from: 0)
    outliers.baseEjectionTime = try seconds("outlier_ejection.base_seconds", from: 1)
    outliers.maximumEjectionTime = try seconds("outlier_ejection.maximum_seconds", from: 1)
    outliers.maximumPercent = try number("outlier_ejection.maximum_percent", in: 0...100)
    outliers.failurePercentage.threshold = try number("outlier_ejection.failure_percent", in: 1...100)
    outliers.failurePercentage.minimumCalls = try number("outlier_ejection.failure_calls", in: 1...1_000_000)
    outliers.successRate.threshold = try number("outlier_ejection.rate_deviations", in: 0...1_000_000)
    outliers.successRate.enforcementPercent = outliers.successRate.threshold == 0 ? 0 : 100
    outliers.successRate.minimumCalls = try number("outlier_ejection.rate_calls", in: 1...1_000_000)
    self.outliers = outliers.interval == .zero ? nil : outliers
    maximumCalls = try number("circuit_breaker.calls", in: 1...10_000_000)
    maximumWaiting = try number("circuit_breaker.waiting", in: 1...ConnectionPool.maximumWaiting)
  }

  /// What pools are told of it.
  func change(_ pool: inout ConnectionPool.Configuration) {
    pool.resolutionAge = resolutionAge
    pool.healthService = healthService
    pool.outliers = outliers
  }
}
