import Core
import Logging
import RPCCore
import RPCTransport
import ServiceRuntime

/// The gateway: one door for all services.
public enum GatewayApplication {
  /// Its settings beside those of every service.
  public static let keys = [
    ConfigurationKey(
      "upstreams.*", "HOST:PORT of each service, for example upstreams.customer; replicas with commas between"),
    ConfigurationKey("routes.*", "routes.PACKAGE.upstream and .access for packages beside mainstay.AREA.v1"),
  ]

  /// Sets it up; throws when a route leads nowhere.
  public static func start(_ environment: ServiceEnvironment) async throws -> ServiceApplication {
    let routes = try Routes(environment.configuration, access: environment.access)
    let context = try environment.upstreamCertificates()
    return ServiceApplication(
      .streams { health in
        let router = try InfrastructureServices.router(
          [], listed: routes.services, health: health, access: environment.access, group: environment.group)
        let own = GRPCAcceptor(router: router, limits: environment.limits.calls, logger: environment.logger)
        return GatewayAcceptor(
          routes: routes, own: own, group: environment.group, context: context, connections: environment.upstreamPool)
      })
  }
}
