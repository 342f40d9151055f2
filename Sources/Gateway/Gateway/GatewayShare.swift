import Core
import RPCCore
import RPCTransport
import ServiceRuntime

/// What one event loop has of the gateway: the settings that hold there, and the connections to the services.
///
/// Unchecked Sendable: used on its loop only.
final class GatewayShare: @unchecked Sendable {
  let loop: EventLoop
  private(set) var settings: GatewaySettings
  private(set) var answers: GatewayAnswers
  let upstreams: UpstreamConnections
  /// Shared with the other loops.
  let protection: Protection
  let observers: Observers
  /// Who makes the calls.
  let identification: CallerIdentification
  private let posts: WebhookPosts
  private var spans: SeededGenerator

  init(
    _ loop: EventLoop, _ settings: GatewaySettings, _ answers: GatewayAnswers, _ upstreams: UpstreamConnections,
    _ protection: Protection, _ observers: Observers, _ identification: CallerIdentification
  ) {
    (self.loop, self.settings, self.answers) = (loop, settings, answers)
    (self.upstreams, self.protection, self.observers, self.identification) = (
      upstreams, protection, observers, identification
    )
    posts = WebhookPosts(upstreams, loop: loop)
    spans = SeededGenerator(seed: loop.random.next())
  }

  /// Goes on with other settings. Calls that run keep what they began with.
  func take(_ settings: GatewaySettings, _ answers: GatewayAnswers) {
    (self.settings, self.answers) = (settings, answers)
    upstreams.take(settings)
    posts.forgetGone()
  }

  /// Takes over a stream whose headers are not gRPC's: a call in another protocol, or a request that is refused.
  func translate(_ stream: HTTP2Stream, _ headers: HeaderBlock, peer: Peer, _ endStream: Bool) {
    if WebhookPost.takes(stream, headers, posts, loop: loop) { return }
    let known = CallHeaders(headers)
    let identity = identification.identify(authorization: known.authorization, peer: peer)
    let handler = answers.web.take(
      stream, headers, routes: settings.routes, identity: identity, service: known.service
    ) {
      ForwardedCall($0, peer: peer, share: self)
    } refused: {
      noteRefusal($1, peer: peer, $0)
      refused($0, $1, known, identity.caller)
    }
    if let handler {
      stream.handler = handler
      handler.received(headers: headers, endStream: endStream)
    } else {
      _ = HTTPRefusal.takes(stream, headers)
    }
  }

  /// Where a call belongs: in the trace that its client named, as the gateway's own span, or in a new one.
  func trace(continuing client: TraceContext?) -> TraceContext {
    if let client { return client.within(span: spans.next()) }
    return TraceContext(traceHigh: spans.next(), traceLow: spans.next(), span: spans.next(), flags: 0)
  }

  /// Counts and logs a call that was refused for who made it.
  func noteRefusal(_ error: RPCError, peer: Peer, _ method: MethodDescriptor?) {
    identification.refusals.note(error, peer: peer, method: method.map { String($0.path.dropFirst()) })
  }

  /// A call of the Connect protocol was refused before it began.
  private func refused(_ method: MethodDescriptor?, _ error: RPCError, _ headers: CallHeaders, _ caller: Caller?) {
    loop.metrics.began(method)
    loop.metrics.ended(method, error.code, nanoseconds: 0, sentBytes: 0, receivedBytes: 0)
    observers.ended(method, error.code, nanoseconds: 0) {
      CallRecord(
        trace: trace(continuing: headers.trace), method: method, code: error.code, nanoseconds: 0, caller: caller,
        wire: "connect", upstream: nil, attempts: 0, requestBytes: 0, responseBytes: 0)
    }
  }
}
