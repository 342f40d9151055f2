import Core
import Logging
import RPCCore
import RPCTransport
import ServiceRuntime
import Synchronization

/// The gateway: one door for all services.
public enum GatewayApplication {
  /// Its settings beside those of every service.
  public static let keys =
    GatewaySettings.keys + [
      ConfigurationKey(
        "access_log", "file for a line of JSON about each call, - for standard output; none if empty", default: "")
    ]

  /// Lines of the access log wait no longer than this to be written.
  private static let logInterval = Duration.milliseconds(200)

  /// Throws for settings with which it does not start, such as a route that leads nowhere.
  public static func check(_ environment: ServiceEnvironment) throws {
    _ = try GatewaySettings(environment.configuration, access: environment.access)
  }

  /// Sets it up; throws when a route leads nowhere.
  public static func start(_ environment: ServiceEnvironment) async throws -> ServiceApplication {
    let settings = try GatewaySettings(environment.configuration, access: environment.access)
    let context = try environment.upstreamCertificates()
    let observers = try observers(environment)
    let running = RunningGateway()
    var application = ServiceApplication(
      .streams { health in
        let acceptor = try GatewayAcceptor(
          settings, environment, health: health, context: context, observing: observers)
        running.acceptor.withLock { $0 = acceptor }
        return acceptor
      })
    application.reload = ConfigurationReload(GatewaySettings.keys) {
      let settings = try GatewaySettings($0, access: environment.access)
      try running.acceptor.withLock { $0 }?.take(settings)
    }
    application.gauges = {
      let acceptor = running.acceptor.withLock { $0 }
      return ReplicaGauges.gauges(try await environment.group.channelFacts()) + (acceptor?.breakers.gauges ?? [])
        + (acceptor?.protection.gauges ?? []) + (observers.accessLog?.gauges ?? [])
    }
    guard let log = observers.accessLog else { return application }
    let loop = environment.group.first
    application.background.append {
      defer { log.flush() }
      while true {
        try await loop.sleep(for: logInterval)
        log.flush()
      }
    }
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

/// The gateway once it has been set up: changes of the configuration go to it.
private final class RunningGateway: Sendable {
  let acceptor = Mutex<GatewayAcceptor?>(nil)
}
