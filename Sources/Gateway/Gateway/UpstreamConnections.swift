import RPCCore
import RPCTransport
import ServiceRuntime

/// The connections of one event loop to all services: over those to one service go all calls of the loop that are for it.
///
/// Unchecked Sendable: used on its loop only.
final class UpstreamConnections: @unchecked Sendable {
  /// How long calls wait for a service that was lost: longer than one takes to restart and to say that it serves.
  private static let patience = Duration.seconds(5)

  /// Those to one service, and what may be made again on them.
  struct Connections {
    let pool: ConnectionPool
    var retries: RetryBudget
    /// Those to the service on all event loops.
    let breaker: CircuitBreaker
  }

  private let loop: EventLoop
  private let context: any TLSContextSource
  private let breakers: CircuitBreakers
  private var configuration: ConnectionPool.Configuration
  private var all: [String: Connections] = [:]

  init(
    _ settings: GatewaySettings, loop: EventLoop, context: any TLSContextSource,
    _ connections: ConnectionPool.Configuration, _ breakers: CircuitBreakers
  ) {
    var configuration = connections
    configuration.policy = .leastRequest
    configuration.patience = UpstreamConnections.patience
    (self.loop, self.context, self.breakers, self.configuration) = (loop, context, breakers, configuration)
    take(settings)
  }

  func connections(to upstream: Routes.Upstream) -> Connections? { all[upstream.name] }

  /// Those to a service of this name; nil if there is none.
  func connections(toServiceNamed name: String) -> Connections? { all[name] }

  /// Goes on with other settings: what stays keeps its connections, and calls end where they run.
  func take(_ settings: GatewaySettings) {
    let upstreams = settings.routes.upstreams
    settings.replicas.change(&configuration)
    for (name, connections) in all where upstreams[name] == nil {
      connections.pool.close()
      all[name] = nil
    }
    for (name, upstream) in upstreams {
      guard let known = all[name] else {
        configuration.name = name
        let pool = ConnectionPool(upstream.targets, loop: loop, context: context, configuration: configuration)
        all[name] = Connections(
          pool: pool, retries: RetryBudget(settings.retries), breaker: breakers.breaker(ofUpstream: name))
        continue
      }
      known.pool.replace(upstream.targets, configuration)
      if known.retries.policy != settings.retries { all[name]?.retries = RetryBudget(settings.retries) }
    }
  }
}
