import API
import Core
import Logging
import Protobuf
import RPCCore
import RPCTransport
import ServiceRuntime

/// The gateway: one door for all services.
public enum GatewayApplication {
  /// Its settings beside those of every service.
  public static let keys = [
    ConfigurationKey(
      "upstreams.*", "HOST:PORT of each service, for example upstreams.customer; replicas with commas between"),
    ConfigurationKey(
      "retries.attempts", "attempts at a call that may be sent twice, the first included; 1 means no retries",
      default: "4"),
    ConfigurationKey(
      "cors.origins", "origins whose pages may call, for example https://desk.example; several with commas between",
      default: ""),
    ConfigurationKey(
      "access_log", "file for a line of JSON about each call, - for standard output; none if empty", default: ""),
    ConfigurationKey("routes.*", "routes.PACKAGE.upstream and .access for packages beside mainstay.AREA.v1"),
  ]

  /// Lines of the access log wait no longer than this to be written.
  private static let logInterval = Duration.milliseconds(200)

  /// Sets it up; throws when a route leads nowhere.
  public static func start(_ environment: ServiceEnvironment) async throws -> ServiceApplication {
    let routes = try Routes(environment.configuration, access: environment.access)
    let context = try environment.upstreamCertificates()
    let origins = environment.configuration.text("cors.origins").split(separator: ",")
    let web = WebCalls(
      cors: try CORS(origins.map { $0.filter { $0 != " " } }),
      transcoder: JSONTranscoder(try APIDescriptors.pool.get()),
      maximumBytes: environment.limits.calls.maximumMessageBytes)
    let attempts = try environment.configuration.integer("retries.attempts", in: 1...10)
    let observers = try observers(environment)
    var application = ServiceApplication(
      .streams { health in
        var retries = RetryPolicy()
        retries.maximumAttempts = attempts
        let router = try InfrastructureServices.router(
          [], listed: routes.services, health: health, access: environment.access, group: environment.group)
        let own = GRPCAcceptor(router: router, limits: environment.limits.calls, logger: environment.logger)
        return GatewayAcceptor(
          routes: routes, own: own, group: environment.group, context: context, connections: environment.upstreamPool,
          retrying: retries, web: web, observing: observers)
      })
    guard let log = observers.accessLog else { return application }
    let loop = environment.group.first
    application.background.append {
      defer { log.flush() }
      while true {
        try await loop.sleep(for: logInterval)
        log.flush()
      }
    }
    application.gauges = { log.gauges }
    return application
  }
  private static func observers(_ environment: ServiceEnvironment) throws -> Observers {
    let isOutput = environment.configuration.text("access_log") == "-"
    let path = isOutput ? "-" : environment.configuration.path("access_log")
    let log =
      try path.isEmpty
      ? nil
      : AccessLog(path: path, clock: environment.clock, random: environment.random, logger: environment.logger)
    return Observers(accessLog: log, slowCalls: environment.slowCalls)
  }
}
