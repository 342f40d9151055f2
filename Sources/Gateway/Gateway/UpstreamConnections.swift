import RPCCore
import RPCTransport
import ServiceRuntime

/// The connections of one event loop to all services: over those to one service go all calls of the loop that are for it.
///
/// Unchecked Sendable: used on its loop only.
final class UpstreamConnections: @unchecked Sendable {
  /// How long calls wait for a service that was lost: longer than one takes to restart.
  private static let patience = Duration.seconds(2)

  /// Those to one service, and what may be made again on them.
  struct Connections {
    let pool: ConnectionPool
    var retries: RetryBudget
  }

  private let loop: EventLoop
  private let context: any TLSContextSource
  private var configuration: ConnectionPool.Configuration
  private var all: [String: Connections] = [:]

  init(
    _ settings: GatewaySettings, loop: EventLoop, context: any TLSContextSource,
    _ connections: ConnectionPool.Configuration
  ) {
    var configuration = connections
    configuration.policy = .leastRequest
    configuration.patience = UpstreamConnections.patience
    (self.loop, self.context, self.configuration) = (loop, context, configuration)
    take(settings)
  }

  func connections(to upstream: Routes.Upstream) -> Connections? { all[upstream.name] }

  /// Those to a service of this name; nil if there is none.
  func connections(toServiceNamed name: String) -> Connections? { all[name] }

  /// Goes on with other settings: what stays keeps its connections, and calls end where they run.
  func take(_ settings: GatewaySettings) {
    let upstreams = settings.routes.upstreams
    for (name, connections) in all where upstreams[name] == nil {
      connections.pool.close()
      all[name] = nil
    }
    for (name, upstream) in upstreams {
      guard let known = all[name] else {
        configuration.name = name
        let pool = ConnectionPool(upstream.targets, loop: loop, context: context, configuration: configuration)
        all[name] = Connections(pool: pool, retries: RetryBudget(settings.retries))
        continue
      }
      known.pool.replace(upstream.targets)
      if known.retries.policy != settings.retries { all[name]?.retries = RetryBudget(settings.retries) }
    }
  }
}
