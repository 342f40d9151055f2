import Core
import RPCCore
import RPCTransport

/// What one event loop has of the gateway.
///
/// Unchecked Sendable: used on its loop only.
final class GatewayShare: @unchecked Sendable {
  let loop: EventLoop
  let upstreams: UpstreamConnections
  let posts: WebhookPosts
  let observers: Observers
  private var spans: SeededGenerator

  init(
    _ loop: EventLoop, _ connections: UpstreamConnections, _ upstreams: [String: Routes.Upstream],
    _ observers: Observers
  ) {
    self.loop = loop
    self.upstreams = connections
    self.observers = observers
    posts = WebhookPosts(upstreams, connections, loop: loop)
    spans = SeededGenerator(seed: loop.random.next())
  }

  /// Where a call belongs: in the trace that its client named, as the gateway's own span, or in a new one.
  func trace(continuing client: TraceContext?) -> TraceContext {
    if let client { return client.within(span: spans.next()) }
    return TraceContext(traceHigh: spans.next(), traceLow: spans.next(), span: spans.next(), flags: 0)
  }

  /// A call was refused before it began.
  func refused(_ method: MethodDescriptor?, _ error: RPCError, _ headers: CallHeaders, wire: StaticString) {
    loop.metrics.began(method)
    loop.metrics.ended(method, error.code, nanoseconds: 0, sentBytes: 0, receivedBytes: 0)
    observers.ended(
      CallRecord(
        trace: trace(continuing: headers.trace), method: method, code: error.code, nanoseconds: 0, caller: nil,
        wire: wire, upstream: nil, attempts: 0, requestBytes: 0, responseBytes: 0))
  }
}
