import Core
import RPCCore
import RPCTransport
import ServiceRuntime

/// Takes the streams of the gateway's clients and passes each to the service that it is for, without decoding a message.
final class GatewayAcceptor: StreamAcceptor {
  let routes: Routes
  /// The gateway's own health and reflection.
  let own: GRPCAcceptor
  /// Calls that are not gRPC's.
  private let web: WebCalls
  private let shares: [GatewayShare]

  init(
    routes: Routes, own: GRPCAcceptor, group: EventLoopGroup, context: any TLSContextSource,
    connections: ConnectionPool.Configuration, retrying policy: RetryPolicy,
    web: WebCalls, observing: Observers
  ) {
    self.routes = routes
    self.web = web
    self.own = own
    shares = group.loops.map { loop in
      GatewayShare(
        loop, UpstreamConnections(routes.upstreams, loop: loop, context: context, connections, policy),
        routes.upstreams, observing)
    }
  }

  func accept(_ stream: HTTP2Stream, peer: Peer, loop: EventLoop) -> (any HTTP2StreamHandler)? {
    guard let share = shares.first(where: { $0.loop === loop }) else { return nil }
    return ForwardedCall(stream, peer: peer, gateway: self, share)
  }

  /// Takes over a stream whose headers are not gRPC's: a call in another protocol, or a request that is refused.
  func translate(_ stream: HTTP2Stream, _ headers: HeaderBlock, peer: Peer, loop: EventLoop, _ endStream: Bool) {
    guard let share = shares.first(where: { $0.loop === loop }) else { return stream.reset(WebCalls.cancelCode) }
    if WebhookPost.takes(stream, headers, share.posts, loop: loop) { return }
    let handler = web.take(stream, headers, routes: routes, peer: peer) {
      ForwardedCall($0, peer: peer, gateway: self, share)
    } refused: {
      share.refused($0, $1, CallHeaders(headers), wire: "connect")
    }
    if let handler {
      stream.handler = handler
      handler.received(headers: headers, endStream: endStream)
    } else {
      _ = HTTPRefusal.takes(stream, headers)
    }
  }
}

/// The connections of one event loop to all services: over those to one service go all calls of the loop that are for it.
///
/// Unchecked Sendable: used on its loop only.
final class UpstreamConnections: @unchecked Sendable {
  /// How long calls wait for a service that was lost: longer than one takes to restart.
  private static let patience = Duration.seconds(2)

  /// Those to one service, and what may be made again on them.
  struct Connections {
    let pool: ConnectionPool
    let retries: RetryBudget
  }

  private let all: [String: Connections]

  init(
    _ upstreams: [String: Routes.Upstream], loop: EventLoop, context: any TLSContextSource,
    _ connections: ConnectionPool.Configuration, _ policy: RetryPolicy
  ) {
    var configuration = connections
    configuration.policy = .leastRequest
    configuration.patience = UpstreamConnections.patience
    all = upstreams.mapValues {
      Connections(
        pool: ConnectionPool($0.targets, loop: loop, context: context, configuration: configuration),
        retries: RetryBudget(policy))
    }
  }

  func connections(to upstream: Routes.Upstream) -> Connections? { all[upstream.name] }
}
