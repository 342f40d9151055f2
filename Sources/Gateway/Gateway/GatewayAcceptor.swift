import API
import Protobuf
import RPCCore
import RPCTransport
import ServiceRuntime

/// Takes the streams of the gateway's clients and passes each to the service that it is for, without decoding a message.
final class GatewayAcceptor: StreamAcceptor {
  private let shares: [GatewayShare]
  let breakers = CircuitBreakers()
  private let environment: ServiceEnvironment
  private let health: HealthRegistry
  private let transcoder: JSONTranscoder
  let protection: Protection

  init(
    _ settings: GatewaySettings, _ environment: ServiceEnvironment, health: HealthRegistry,
    context: any TLSContextSource, observing observers: Observers
  ) throws {
    self.environment = environment
    self.health = health
    let transcoder = JSONTranscoder(try APIDescriptors.pool.get())
    self.transcoder = transcoder
    let answers = try GatewayAnswers(settings, environment, health, transcoder)
    let (identification, breakers) = (try environment.identification(), breakers)
    let protection = Protection(settings.protection, try APIDescriptors.pool.get())
    self.protection = protection
    shares = environment.group.loops.map { loop in
      let upstreams = UpstreamConnections(
        settings, loop: loop, context: context, environment.upstreamPool, breakers)
      return GatewayShare(loop, settings, answers, upstreams, protection, observers, identification)
    }
  }

  /// Goes on with other settings: each loop from its next turn on.
  func take(_ settings: GatewaySettings) throws {
    let answers = try GatewayAnswers(settings, environment, health, transcoder)
    protection.update(settings.protection, upstreams: Set(settings.routes.upstreams.keys))
    for share in shares { share.loop.execute { share.take(settings, answers) } }
  }

  func accept(_ stream: HTTP2Stream, peer: Peer, loop: EventLoop) -> (any HTTP2StreamHandler)? {
    guard let share = shares.first(where: { $0.loop === loop }) else { return nil }
    return ForwardedCall(stream, peer: peer, share: share)
  }
}

/// What answers beside the services, made of the settings.
struct GatewayAnswers: Sendable {
  /// The gateway's own health, and reflection of all that can be called through it.
  let own: GRPCAcceptor
  /// Calls that are not gRPC's.
  let web: WebCalls

  init(
    _ settings: GatewaySettings, _ environment: ServiceEnvironment, _ health: HealthRegistry,
    _ transcoder: JSONTranscoder
  ) throws {
    let router = try InfrastructureServices.router(
      [], listed: settings.routes.services, health: health, access: environment.access,
      identification: environment.identification(), group: environment.group)
    own = GRPCAcceptor(router: router, limits: environment.limits.calls, logger: environment.logger)
    web = WebCalls(
      cors: settings.cors, transcoder: transcoder, maximumBytes: environment.limits.calls.maximumMessageBytes)
  }
}
