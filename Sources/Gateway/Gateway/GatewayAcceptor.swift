import Core
import RPCCore
import RPCTransport
import ServiceRuntime

/// Takes the streams of the gateway's clients and passes each to the service that it is for, without decoding a message.
final class GatewayAcceptor: StreamAcceptor {
  let routes: Routes
  /// The gateway's own health and reflection.
  let own: GRPCAcceptor
  private let shares: [(loop: EventLoop, upstreams: UpstreamConnections, posts: WebhookPosts)]

  init(
    routes: Routes, own: GRPCAcceptor, group: EventLoopGroup, context: any TLSContextSource,
    connections: ConnectionPool.Configuration
  ) {
    self.routes = routes
    self.own = own
    shares = group.loops.map { loop in
      let upstreams = UpstreamConnections(routes.upstreams, loop: loop, context: context, connections)
      return (loop, upstreams, WebhookPosts(routes.upstreams, upstreams, loop: loop))
    }
  }

  func accept(_ stream: HTTP2Stream, peer: Peer, loop: EventLoop) -> (any HTTP2StreamHandler)? {
    guard let share = shares.first(where: { $0.loop === loop }) else { return nil }
    return ForwardedCall(stream, peer: peer, loop: loop, gateway: self, upstreams: share.upstreams, posts: share.posts)
  }
}

/// The connections of one event loop to all services: over those to one service go all calls of the loop that are for it.
///
/// Unchecked Sendable: used on its loop only.
final class UpstreamConnections: @unchecked Sendable {
  private let pools: [String: ConnectionPool]

  init(
    _ upstreams: [String: Routes.Upstream], loop: EventLoop, context: any TLSContextSource,
    _ connections: ConnectionPool.Configuration
  ) {
    var configuration = connections
    configuration.policy = .leastRequest
    pools = upstreams.mapValues {
      ConnectionPool($0.targets, loop: loop, context: context, configuration: configuration)
    }
  }

  func pool(to upstream: Routes.Upstream) -> ConnectionPool? { pools[upstream.name] }
}
