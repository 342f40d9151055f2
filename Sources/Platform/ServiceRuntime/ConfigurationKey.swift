/// One setting of a service.
public struct ConfigurationKey: Sendable, Equatable {
  /// Name in the file, with dots for nesting: "tls.certificate". In the environment it is MAINSTAY_TLS_CERTIFICATE, as a flag
  /// --tls-certificate. A name that ends in ".*" stands for every name below it.
  public let name: String
  /// One line for --help.
  public let summary: String
  /// What holds when nobody says anything; nil if the setting is required.
  public let defaultValue: String?

  /// One setting.
  public init(_ name: String, _ summary: String, default defaultValue: String? = nil) {
    self.name = name
    self.summary = summary
    self.defaultValue = defaultValue
  }

  var variable: String { "MAINSTAY_" + ConfigurationKey.folded(name).uppercased() }
  var flag: String { "--" + name.map { $0 == "." || $0 == "_" ? "-" : String($0) }.joined() }

  /// Whether a full name belongs to this key.
  func covers(_ full: String) -> Bool {
    name.hasSuffix(".*") ? full.hasPrefix(name.dropLast()) && full.count >= name.count : name == full
  }

  private static func folded(_ name: String) -> String { name.map { $0 == "." ? "_" : String($0) }.joined() }

  /// What every service has.
  public static let common = general + CallerIdentification.keys + ServiceLimits.keys

  private static let general = [
    ConfigurationKey("listen", "HOST:PORT to serve on"),
    ConfigurationKey("tls.certificate", "own certificate chain, PEM"),
    ConfigurationKey("tls.private_key", "own private key, PEM, mode 0600"),
    ConfigurationKey("tls.authority", "authorities of the peers, PEM"),
    ConfigurationKey(
      "tls.revocation_list", "certificates that the authorities have revoked, PEM; none if empty", default: ""),
    ConfigurationKey("tls.client_verification", "none, optional or required", default: "required"),
    ConfigurationKey(
      "operators.listen", "HOST:PORT for /healthz, /readyz and /metrics, plain HTTP: on loopback; none if empty",
      default: ""),
    ConfigurationKey("access", "checked, or public (tests only: no permission is checked)", default: "checked"),
    ConfigurationKey("event_loops", "threads that serve; 0 means one per core", default: "0"),
    ConfigurationKey(
      "idle_poll_microseconds", "how long an idle thread looks for calls before it sleeps, while they come that fast",
      default: "100"),
    ConfigurationKey(
      "slow_call_milliseconds", "unary calls that take so long are told in the log; 0 for none", default: "1000"),
    ConfigurationKey("log_level", "trace, debug, info, notice, warning, error or critical", default: "info"),
    ConfigurationKey("shutdown_grace_seconds", "how long running calls may take to end on SIGTERM", default: "10"),
  ]
}
