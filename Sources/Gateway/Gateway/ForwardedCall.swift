import Core
import RPCCore
import RPCTransport
import ServiceRuntime

/// One call on its way through the gateway: two streams joined, bytes in and bytes out. Credit is given to one side as the
/// other takes what came, so a slow reader slows the sender and the gateway holds little. Confined to one loop.
///
/// Unchecked Sendable: it waits for a connection in a task of the same loop.
final class ForwardedCall: @unchecked Sendable {
  /// Connections that a call tries which close before it has begun.
  private static let maximumConnectionsTried = 5
  /// HTTP/2's error code CANCEL.
  private static let cancelCode: UInt32 = 8
  /// A call that was held up for less is passed on with the time that its client gave it.
  private static let unnoticedNanoseconds: UInt64 = 1_000_000

  private let client: HTTP2Stream
  private let peer: Peer
  private let loop: EventLoop
  private let gateway: GatewayAcceptor
  private let upstreams: UpstreamConnections
  private let posts: WebhookPosts
  /// Who answers instead of a service: the gateway itself.
  private var own: (any HTTP2StreamHandler)?
  private var server: HTTP2Stream?
  private var deadlineTimer: CallTimer?
  private var timeout: (nanoseconds: UInt64, deadline: Deadline)?
  /// For figures: what is called, since when (0 when it is counted already), and what the service said in its first headers.
  private var method: MethodDescriptor?
  private var began: UInt64 = 0
  /// The attempt at the service that runs: whose figures it goes into, and since when.
  private var attempt: (figures: CallMetrics, began: UInt64)?
  private var status = StatusCode.unknown
  private var sentBytes = 0
  private var receivedBytes = 0
  /// What the client sent before there was a connection; bounded by its stream's window, since no credit is given for it.
  private var early: [[UInt8]] = []
  private var hasClientEnded = false
  private var hasForwardedHeaders = false
  private var isOver = false
  /// Bytes that came and that the other side has not taken.
  private var clientCredit = 0
  private var serverCredit = 0

  init(
    _ client: HTTP2Stream, peer: Peer, loop: EventLoop, gateway: GatewayAcceptor, upstreams: UpstreamConnections,
    posts: WebhookPosts
  ) {
    self.client = client
    self.peer = peer
    self.loop = loop
    self.gateway = gateway
    self.upstreams = upstreams
    self.posts = posts
  }

  private func begin(_ headers: HeaderBlock, endStream: Bool) {
    if WebhookPost.takes(client, headers, posts, loop: loop) || HTTPRefusal.takes(client, headers) {
      isOver = true
      return
    }
    let caller = peer.certificate.map { Caller(certificate: $0) }
    began = loop.clock.monotonicNanoseconds()
    let decision = gateway.routes.decide(
      path: headers.first(":path") ?? "", service: headers.first("mainstay-service"), caller: caller)
    switch decision {
    case .refuse(let error):
      loop.metrics.began(nil)
      end(error)
    case .answerHere:
      began = 0
      own = gateway.own.accept(client, peer: peer, loop: loop)
      own?.received(headers: headers, endStream: endStream)
    case .forward(let upstream, let method):
      self.method = method
      loop.metrics.began(method)
      startDeadline(headers)
      forward(headers.addingCaller(caller), to: upstream)
    }
  }

  private func forward(_ headers: HeaderBlock, to upstream: Routes.Upstream) {
    guard let pool = upstreams.pool(to: upstream) else {
      return end(RPCError(.internal, "no connection to \(upstream.name) is configured"))
    }
    if let connection = pool.current, open(headers, on: connection, of: pool) { return }
    loop.spawn { [self] in
      do throws(RPCError) {
        // A connection may close before the call gets to it: nothing was sent then, so it may take the next one.
        for _ in 0..<ForwardedCall.maximumConnectionsTried where !isOver {
          if open(headers, on: try await pool.connect(waitForReady: false), of: pool) { return }
        }
        end(RPCError(.unavailable, "the \(upstream.name) service takes no more calls on its connections; try again"))
      } catch {
        // Where the services are is no business of the client; the log of the gateway may say it.
        end(RPCError(.unavailable, "the \(upstream.name) service cannot be reached; try again", cause: error))
      }
    }
  }

  private func open(_ headers: HeaderBlock, on connection: HTTP2Connection, of pool: ConnectionPool) -> Bool {
    guard let server = connection.open(headers.withTimeout(remaining), handler: ServerSide(self)) else { return false }
    self.server = server
    pool.attempts.began(method)
    attempt = (pool.attempts, loop.clock.monotonicNanoseconds())
    for chunk in early { server.write(chunk) }
    early = []
    if hasClientEnded { server.finish() }
    giveClientCredit()
    return true
  }

  private func startDeadline(_ headers: HeaderBlock) {
    guard let timeout = headers.first("grpc-timeout").flatMap(GRPCTimeout.nanoseconds) else { return }
    let (end, overflow) = loop.clock.monotonicNanoseconds().addingReportingOverflow(timeout)
    self.timeout = (timeout, Deadline(monotonicNanoseconds: overflow ? .max : end))
    deadlineTimer = CallTimer(loop, afterNanoseconds: timeout) { [weak self] in
      self?.end(RPCError(.deadlineExceeded, "the deadline has passed"))
    }
  }

  /// What the service has left of the client's time; nil if that is what the headers say.
  private var remaining: UInt64? {
    guard let timeout else { return nil }
    let left = timeout.deadline.remainingNanoseconds(at: loop.clock.monotonicNanoseconds())
    return left + ForwardedCall.unnoticedNanoseconds < timeout.nanoseconds ? left : nil
  }

  /// Ends the call with a status of the gateway's own.
  private func end(_ error: RPCError) {
    guard !isOver else { return }
    complete(error.code)
    if hasForwardedHeaders {
      client.finish(trailers: error.trailers)
    } else {
      client.respond(error.responseHeaders, endStream: true)
    }
    close()
  }

  /// The client needs nothing more: lets go of the server's side.
  private func close() {
    isOver = true
    deadlineTimer?.cancel()
    deadlineTimer = nil
    early = []
    let server = server
    self.server = nil
    server?.reset(ForwardedCall.cancelCode)
  }

  private func complete(_ code: StatusCode) {
    guard began > 0 else { return }
    let now = loop.clock.monotonicNanoseconds()
    loop.metrics.ended(
      method, code, nanoseconds: now &- began, sentBytes: sentBytes, receivedBytes: receivedBytes)
    began = 0
    // What came from the client went to the service.
    attempt?.figures.ended(
      method, code, nanoseconds: now &- (attempt?.began ?? now), sentBytes: receivedBytes, receivedBytes: sentBytes)
    attempt = nil
  }

  private func giveClientCredit() {
    guard clientCredit > 0, let server, !server.isCongested else { return }
    client.consume(clientCredit)
    clientCredit = 0
  }

  private func giveServerCredit() {
    guard serverCredit > 0, !client.isCongested else { return }
    server?.consume(serverCredit)
    serverCredit = 0
  }
}

extension ForwardedCall: HTTP2StreamHandler {
  func received(headers: HeaderBlock, endStream: Bool) {
    if endStream { hasClientEnded = true }
    begin(headers, endStream: endStream)
  }

  func received(data: UnsafeRawBufferPointer) {
    if let own { return own.received(data: data) }
    guard !isOver else { return client.consume(data.count) }
    clientCredit += data.count
    receivedBytes += data.count
    if let server {
      server.write(Array(data))
      giveClientCredit()
    } else {
      early.append(Array(data))
    }
  }

  func receivedEnd(trailers: HeaderBlock?) {
    if let own { return own.receivedEnd(trailers: trailers) }
    hasClientEnded = true
    server?.finish()
  }

  func becameWritable() {
    if let own { return own.becameWritable() }
    giveServerCredit()
  }

  func closed(errorCode: UInt32) {
    if let own { return own.closed(errorCode: errorCode) }
    if !isOver {
      complete(.cancelled)
      close()
    }
  }
}

/// The server's stream of a forwarded call.
private final class ServerSide: HTTP2StreamHandler {
  private let call: ForwardedCall

  init(_ call: ForwardedCall) { self.call = call }

  func received(headers: HeaderBlock, endStream: Bool) { call.serverSent(headers: headers, endStream: endStream) }
  func received(data: UnsafeRawBufferPointer) { call.serverSent(data: data) }
  func receivedEnd(trailers: HeaderBlock?) { call.serverEnded(trailers: trailers) }
  func becameWritable() { call.serverBecameWritable() }
  func closed(errorCode: UInt32) { call.serverClosed(errorCode: errorCode) }
}

extension ForwardedCall {
  fileprivate func serverSent(headers: HeaderBlock, endStream: Bool) {
    guard !isOver else { return }
    hasForwardedHeaders = true
    if endStream { status = headers.statusCode }
    client.respond(headers, endStream: endStream)
  }

  fileprivate func serverSent(data: UnsafeRawBufferPointer) {
    guard !isOver else { return }
    serverCredit += data.count
    sentBytes += data.count
    client.write(Array(data))
    giveServerCredit()
  }

  fileprivate func serverEnded(trailers: HeaderBlock?) {
    guard !isOver else { return }
    complete(trailers?.statusCode ?? status)
    if !client.isFinished { client.finish(trailers: trailers) }
    isOver = true
    deadlineTimer?.cancel()
    deadlineTimer = nil
    // What the client still sends has nowhere to go.
    if hasClientEnded { server = nil } else { close() }
  }

  fileprivate func serverBecameWritable() { giveClientCredit() }

  fileprivate func serverClosed(errorCode: UInt32) {
    server = nil
    guard !isOver else { return }
    end(
      errorCode == ForwardedCall.refusedCode
        ? RPCError(.unavailable, "the service did not take the call; try again")
        : RPCError(.unavailable, "the connection to the service broke before the call ended"))
  }

  /// HTTP/2's error code REFUSED_STREAM.
  private static let refusedCode: UInt32 = 7
}

extension HeaderBlock {
  /// The headers with another time for the call; themselves if there is none.
  fileprivate func withTimeout(_ nanoseconds: UInt64?) -> HeaderBlock {
    guard let nanoseconds else { return self }
    var headers = without(prefix: "grpc-timeout")
    headers.append("grpc-timeout", GRPCTimeout.format(nanoseconds: nanoseconds))
    return headers
  }

  /// What grpc-status says.
  fileprivate var statusCode: StatusCode {
    first("grpc-status").flatMap { Int($0) }.flatMap(StatusCode.init) ?? .unknown
  }

  /// The headers for the service: who calls, by the gateway's word and nobody else's.
  fileprivate func addingCaller(_ caller: Caller?) -> HeaderBlock {
    var headers = without(prefix: "mainstay-caller")
    if let caller {
      headers.append(CallerMetadata.name, caller.name)
      for role in caller.roles { headers.append(CallerMetadata.role, role) }
    }
    return headers
  }
}
