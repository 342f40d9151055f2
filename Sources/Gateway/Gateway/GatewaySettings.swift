import RPCTransport
import ServiceRuntime

/// What the gateway does by its configuration: one value, made at the start and again whenever the configuration changes, so that
/// a configuration holds whole or not at all.
struct GatewaySettings: Sendable {
  let routes: Routes
  /// Which attempts at calls are made again.
  let retries: RetryPolicy
  let cors: CORS
  /// Which replicas get calls, and how many.
  let replicas: ReplicaSettings
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
        "hedging.delay_milliseconds",
        "after how long without an answer a call that only reads goes to a second replica too; 0 means never",
        default: "0"),
      ConfigurationKey("hedging.percent", "such calls in a hundred that may, on the average", default: "10"),
      ConfigurationKey(
        "cors.origins", "origins whose pages may call, for example https://desk.example; several with commas between",
        default: ""),
      ConfigurationKey("routes.*", "routes.PACKAGE.upstream and .access for packages beside mainstay.AREA.v1"),
    ] + ReplicaSettings.keys + ProtectionSettings.keys

  /// As a configuration says; throws for what it says wrongly.
  init(_ configuration: Configuration, access: AccessMode) throws {
    routes = try Routes(configuration, access: access)
    var retries = RetryPolicy()
    retries.maximumAttempts = try configuration.integer("retries.attempts", in: 1...10)
    let delay = try configuration.integer("hedging.delay_milliseconds", in: 0...60_000)
    if delay > 0 {
      var hedging = HedgingPolicy(delay: .milliseconds(delay))
      hedging.share = Double(try configuration.integer("hedging.percent", in: 1...100)) / 100
      retries.hedging = hedging
    }
    self.retries = retries
    replicas = try ReplicaSettings(configuration)
    cors = try CORS(configuration.text("cors.origins").split(separator: ",").map { $0.filter { $0 != " " } })
    protection = try ProtectionSettings(configuration)
  }
}
