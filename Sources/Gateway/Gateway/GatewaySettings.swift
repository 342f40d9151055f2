import RPCTransport
import ServiceRuntime

/// What the gateway does by its configuration: one value, made at the start and again whenever the configuration changes, so that
/// a configuration holds whole or not at all.
struct GatewaySettings: Sendable {
  let routes: Routes
  /// Which attempts at calls are made again.
  let retries: RetryPolicy
  let cors: CORS
  let protection: ProtectionSettings

  /// The settings that it is made of: they can change while the gateway runs.
  static let keys =
    [
      ConfigurationKey(
        "upstreams.*", "HOST:PORT of each service, for example upstreams.customer; replicas with commas between"),
      ConfigurationKey(
        "retries.attempts", "attempts at a call that may be sent twice, the first included; 1 means no retries",
        default: "4"),
      ConfigurationKey(
        "cors.origins", "origins whose pages may call, for example https://desk.example; several with commas between",
        default: ""),
      ConfigurationKey("routes.*", "routes.PACKAGE.upstream and .access for packages beside mainstay.AREA.v1"),
    ] + ProtectionSettings.keys

  /// As a configuration says; throws for what it says wrongly.
  init(_ configuration: Configuration, access: AccessMode) throws {
    routes = try Routes(configuration, access: access)
    var retries = RetryPolicy()
    retries.maximumAttempts = try configuration.integer("retries.attempts", in: 1...10)
    self.retries = retries
    cors = try CORS(configuration.text("cors.origins").split(separator: ",").map { $0.filter { $0 != " " } })
    protection = try ProtectionSettings(configuration)
  }
}
