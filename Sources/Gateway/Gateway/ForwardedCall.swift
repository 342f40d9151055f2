import Core
import RPCCore
import RPCTransport
import ServiceRuntime

/// One call on its way through the gateway: two streams joined, bytes in and bytes out. Credit is given to one side as the
/// other takes what came, so a slow reader slows the sender and the gateway holds little. Until an answer has begun, and while little of
/// the request has come, an attempt that fails may be followed by another one. Confined to one loop.
///
/// Unchecked Sendable: it waits for a connection in a task of the same loop.
final class ForwardedCall: @unchecked Sendable {
  /// Connections that a call tries which close before it has begun.
  private static let maximumConnectionsTried = 5
  /// A call that was held up for less is passed on with the time that its client gave it.
  private static let unnoticedNanoseconds: UInt64 = 1_000_000

  /// Where a call goes, and what is sent there. A class, since a copy of so many references costs more than one allocation.
  private final class Route {
    let upstream: Routes.Upstream
    let method: MethodDescriptor
    let pool: ConnectionPool
    let retries: RetryBudget
    /// When it may be sent to a second replica; nil if it may not.
    let hedging: HedgingPolicy?
    let breaker: CircuitBreaker
    let headers: HeaderBlock

    init(
      _ upstream: Routes.Upstream, _ method: MethodDescriptor, _ connections: UpstreamConnections.Connections,
      _ headers: HeaderBlock
    ) {
      (self.upstream, self.method, self.headers) = (upstream, method, headers)
      (pool, retries, breaker) = (connections.pool, connections.retries, connections.breaker)
      hedging = method.mayBeHedged ? connections.retries.policy.hedging : nil
    }
  }

  private let client: any CallerSide
  private let peer: Peer
  private let loop: EventLoop
  private let share: GatewayShare
  /// Who answers instead of a service: the gateway itself.
  private var own: (any HTTP2StreamHandler)?
  private var route: Route?
  /// The call's place at the service, if it takes one.
  private var admission: Admission?
  private var attempt: ForwardedAttempt?
  /// Another one beside it, of a read that takes its time.
  private var hedge: ForwardedAttempt?
  /// Attempts that a service may have begun, and connections that took none.
  private var attempts = 1
  private var connectionsTried = 0
  private var wasRefused = false
  /// Whether time has passed between the call's begin and its attempt's.
  private var hasWaited = false
  /// The end of the call's time, and of the time before the next attempt.
  private var deadlineTimer: CallTimer?
  private var retryTimer: CallTimer?
  private var hedgeTimer: CallTimer?
  private var timeout: (nanoseconds: UInt64, deadline: Deadline, isTold: Bool)?
  /// For figures: since when the call runs (0 when it is counted already), and what the service said in its first headers.
  private var began: UInt64 = 0
  private var caller: Caller?
  /// What was called, of a call that goes nowhere.
  private var refused: MethodDescriptor?
  private var trace = TraceContext(traceHigh: 0, traceLow: 0, span: 0, flags: 0)
  private var status = StatusCode.unknown
  private var sentBytes = 0
  private var receivedBytes = 0
  /// What the client has sent, for the next attempt. While there is no stream it is bounded by the client's window, since no credit
  /// is given for it.
  private var held = HeldRequest()
  private var hasForwardedHeaders = false
  private var isOver = false
  /// Bytes that came and that the other side has not taken.
  private var clientCredit = 0
  private var serverCredit = 0

  init(_ client: any CallerSide, peer: Peer, share: GatewayShare) {
    self.client = client
    self.peer = peer
    self.share = share
    loop = share.loop
  }

  private func begin(_ headers: HeaderBlock, endStream: Bool) {
    let known = CallHeaders(headers)
    if !known.isGRPC || !known.isPost {
      isOver = true
      if let stream = client as? HTTP2Stream { share.translate(stream, headers, peer: peer, endStream) }
      return
    }
    let identity = share.identification.identify(authorization: known.authorization, peer: peer)
    caller = identity.caller
    trace = share.trace(continuing: known.trace)
    began = loop.clock.monotonicNanoseconds()
    switch share.settings.routes.decide(path: known.path, service: known.service, identity: identity) {
    case .refuse(let error, let method):
      share.noteRefusal(error, peer: peer, method)
      refused = method
      loop.metrics.began(method)
      end(error)
    case .answerHere:
      guard let stream = client as? HTTP2Stream else {
        loop.metrics.began(nil)
        return end(RPCError(.unimplemented, "the gateway answers this in gRPC only"))
      }
      began = 0
      own = share.answers.own.accept(stream, peer: peer, loop: loop)
      own?.received(headers: headers, endStream: endStream)
    case .forward(let upstream, let method):
      loop.metrics.began(method)
      guard let connections = share.upstreams.connections(to: upstream) else {
        return end(RPCError(.internal, "no connection to \(upstream.name) is configured"))
      }
      refused = method
      do throws(RPCError) {
        admission = try share.protection.admit(method, to: upstream.name, caller: caller, at: began, loop.random)
      } catch {
        return end(error)
      }
      guard connections.breaker.begin(most: share.settings.replicas.maximumCalls) else {
        return end(
          RPCError(.unavailable, "too many calls to the \(upstream.name) service are under way; try again later"))
      }
      if held.hasEnded { admission?.requestHasEnded(at: began) }
      let timeout = share.protection.timeout(known.timeoutNanoseconds, of: method)
      let isCut = known.timeoutNanoseconds.map { timeout != $0 } ?? false
      if connections.retries.policy.hedging != nil { connections.retries.beganHedged() }
      route = Route(
        upstream, method, connections,
        headers.forwarded(for: caller, trace, isContinued: known.trace != nil).withTimeout(isCut ? timeout : nil))
      startDeadline(timeout, isTold: known.timeoutNanoseconds != nil)
      makeAttempt()
    }
  }

  // MARK: attempts

  private func makeAttempt() {
    guard !isOver, let route else { return }
    if let connection = route.pool.current, open(route, on: connection) { return }
    hasWaited = true
    loop.spawn { [self] in await connect() }
  }

  /// Makes the attempt on a connection that has to be waited for.
  private func connect() async {
    guard let route else { return }
    guard route.breaker.beginWaiting(most: share.settings.replicas.maximumWaiting) else {
      return end(RPCError(.unavailable, "too many calls wait for the \(route.upstream.name) service; try again later"))
    }
    defer { route.breaker.endWaiting() }
    do throws(RPCError) {
      // A connection may close before the call gets to it: nothing was sent then, so it may take the next one.
      for _ in 0..<ForwardedCall.maximumConnectionsTried where !isOver {
        if open(route, on: try await route.pool.connect(waitForReady: false)) { return }
      }
      end(
        RPCError(.unavailable, "the \(route.upstream.name) service takes no more calls on its connections; try again"))
    } catch {
      if retry(after: .lost) { return }
      // Where the services are is no business of the client; the log of the gateway may say it.
      let reason = route.pool.hasUnhealthy ? "has no replica that serves now" : "cannot be reached"
      end(RPCError(.unavailable, "the \(route.upstream.name) service \(reason); try again", cause: error))
    }
  }

  private func open(_ route: Route, on connection: HTTP2Connection) -> Bool {
    guard !isOver else { return true }
    let now = hasWaited ? loop.clock.monotonicNanoseconds() : began
    let attempt = ForwardedAttempt(self, route.method, figures: route.pool.attempts, began: now)
    let headers = route.headers.withTimeout(remaining).afterAttempts(attempts - 1)
    guard attempt.open(headers, on: connection), let stream = attempt.stream else { return false }
    self.attempt = attempt
    admission?.attempts(at: now)
    held.forEach { stream.write($0) }
    if held.hasEnded { stream.finish() }
    forgetLong(stream)
    giveClientCredit()
    if let hedging = route.hedging { hedgeLater(hedging) }
    return true
  }

  // MARK: a second attempt beside the first (gRFC A6, hedging)

  private func hedgeLater(_ hedging: HedgingPolicy) {
    guard hedge == nil, hedgeTimer == nil else { return }
    let delay = UInt64(max(0, hedging.delay / .nanoseconds(1)))
    hedgeTimer = CallTimer(loop, afterNanoseconds: delay) { [weak self] in
      self?.beginHedge()
    }
  }

  /// Sends the request to another replica too, if there is room for it at once and it is here as a whole.
  private func beginHedge() {
    guard !isOver, !hasForwardedHeaders, attempt != nil, hedge == nil, held.isWhole, held.hasEnded, let route,
      let connection = route.pool.current, route.retries.takeHedge()
    else { return }
    attempts += 1
    let hedge = ForwardedAttempt(
      self, route.method, figures: route.pool.attempts, began: loop.clock.monotonicNanoseconds())
    let headers = route.headers.withTimeout(remaining).afterAttempts(attempts - 1)
    guard hedge.open(headers, on: connection), let stream = hedge.stream else { return }
    self.hedge = hedge
    held.forEach { stream.write($0) }
    stream.finish()
  }

  /// Of two attempts goes on with one; the other has ended with a code, or is not needed any more.
  private func leave(_ loser: ForwardedAttempt, _ code: StatusCode) {
    let other = loser === attempt ? hedge : attempt
    loser.ended(code, at: loop.clock.monotonicNanoseconds(), sentBytes: receivedBytes, receivedBytes: 0)
    loser.letGo()
    (attempt, hedge) = (other, nil)
  }

  /// Makes another attempt at a call that may be sent twice, if the budget allows it and the time does. False if not.
  private func retry(after failure: RetryBudget.Failure) -> Bool {
    guard !isOver, !hasForwardedHeaders, held.isWhole, let route, route.method.idempotency != .unknown,
      let delay = route.retries.next(after: failure, attempts: attempts, loop.random),
      delay < timeout?.deadline.remainingNanoseconds(at: loop.clock.monotonicNanoseconds()) ?? .max
    else { return false }
    let code: StatusCode = if case .status(let code, _) = failure { code } else { .unavailable }
    endAttempt(code)
    attempts += 1
    hasWaited = true
    retryTimer = CallTimer(loop, afterNanoseconds: delay) { [weak self] in
      self?.retryTimer = nil
      self?.makeAttempt()
    }
    return true
  }

  /// Makes another attempt at a call that no service has begun. One that a service has refused goes once to another, so that a
  /// service which refuses for want of room is not pressed.
  private func repeatUnbegun(hasLeft: Bool) -> Bool {
    guard !isOver, !hasForwardedHeaders, held.isWhole, !(hasLeft && wasRefused),
      connectionsTried < ForwardedCall.maximumConnectionsTried
    else { return false }
    connectionsTried += 1
    if hasLeft { wasRefused = true }
    hasWaited = true
    endAttempt(.unavailable, isUnbegun: true)
    makeAttempt()
    return true
  }

  private func endAttempt(_ code: StatusCode, isUnbegun: Bool = false) {
    attempt?.ended(
      code, at: loop.clock.monotonicNanoseconds(), sentBytes: receivedBytes, receivedBytes: sentBytes,
      isUnbegun: isUnbegun)
    attempt?.letGo()
    attempt = nil
    serverCredit = 0
  }

  /// Keeps a piece of the request for another attempt. Where too much is kept already there will be none, once it has gone.
  private func hold(_ chunk: [UInt8]) {
    guard held.isWhole else { return }
    held.add(chunk)
    if !client.keep(held.bytes), attempt?.stream != nil { forget() }
  }

  private func forget() {
    guard held.isWhole else { return }
    held.forget()
    _ = client.keep(0)
  }

  /// A long request is not kept once some of it has gone.
  private func forgetLong(_ stream: HTTP2Stream) {
    if held.bytes > HeldRequest.streamedBytes, stream.queuedBytes < held.bytes { forget() }
  }

  // MARK: time

  /// A time that the client did not ask for is not told to the service either, which learns of its end as of any cancelled call.
  private func startDeadline(_ timeout: UInt64?, isTold: Bool) {
    guard let timeout else { return }
    let (end, overflow) = began.addingReportingOverflow(timeout)
    self.timeout = (timeout, Deadline(monotonicNanoseconds: overflow ? .max : end), isTold)
    // The end of the call breaks this cycle; a weak reference would make each use of the call slower.
    deadlineTimer = CallTimer(loop, afterNanoseconds: timeout) { [self] in
      self.end(RPCError(.deadlineExceeded, "the deadline has passed"))
    }
  }

  /// What the service has left of the client's time; nil if that is what the headers say.
  private var remaining: UInt64? {
    guard let timeout, timeout.isTold else { return nil }
    let left = timeout.deadline.remainingNanoseconds(at: loop.clock.monotonicNanoseconds())
    return left + ForwardedCall.unnoticedNanoseconds < timeout.nanoseconds ? left : nil
  }

  // MARK: the end

  /// Ends the call with a status of the gateway's own.
  private func end(_ error: RPCError) {
    guard !isOver else { return }
    complete(error.code)
    isOver = true
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
    stopTimers()
    forget()
    attempt?.letGo()
    attempt = nil
    hedge?.letGo()
    hedge = nil
  }

  private func stopTimers() {
    hedgeTimer?.cancel()
    hedgeTimer = nil
    deadlineTimer?.cancel()
    deadlineTimer = nil
    retryTimer?.cancel()
    retryTimer = nil
  }

  private func complete(_ code: StatusCode) {
    guard began > 0 else { return }
    let now = loop.clock.monotonicNanoseconds()
    let method = route?.method ?? refused
    loop.metrics.ended(
      method, code, nanoseconds: now &- began, sentBytes: sentBytes, receivedBytes: receivedBytes)
    share.observers.ended(method, code, nanoseconds: now &- began) {
      CallRecord(
        trace: trace, method: method, code: code, nanoseconds: now &- began, caller: caller, wire: client.wire,
        upstream: route?.upstream.name, attempts: route == nil ? 0 : attempts, requestBytes: receivedBytes,
        responseBytes: sentBytes)
    }
    began = 0
    admission?.over(code, at: now, turn: loop.lastTurnNanoseconds)
    admission = nil
    route?.breaker.end()
    if code == .ok { route?.retries.succeeded() }
    hedge?.ended(.cancelled, at: now, sentBytes: receivedBytes, receivedBytes: 0)
    // What came from the client went to the service.
    attempt?.ended(code, at: now, sentBytes: receivedBytes, receivedBytes: sentBytes)
  }

  private func giveClientCredit() {
    guard clientCredit > 0, let stream = attempt?.stream, !stream.isCongested else { return }
    client.consume(clientCredit)
    clientCredit = 0
  }

  private func giveServerCredit() {
    guard serverCredit > 0, !client.isCongested else { return }
    attempt?.stream?.consume(serverCredit)
    serverCredit = 0
  }
}

extension ForwardedCall: HTTP2StreamHandler {
  func received(headers: HeaderBlock, endStream: Bool) {
    if endStream { held.hasEnded = true }
    begin(headers, endStream: endStream)
  }

  func received(data: UnsafeRawBufferPointer) {
    if let own { return own.received(data: data) }
    guard !isOver else { return client.consume(data.count) }
    clientCredit += data.count
    receivedBytes += data.count
    let chunk = Array(data)
    hold(chunk)
    guard let stream = attempt?.stream else { return }
    stream.write(chunk)
    forgetLong(stream)
    giveClientCredit()
  }

  func receivedEnd(trailers: HeaderBlock?) {
    if let own { return own.receivedEnd(trailers: trailers) }
    held.hasEnded = true
    admission?.requestHasEnded(at: loop.now)
    attempt?.stream?.finish()
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

/// What the attempt that runs has to say.
extension ForwardedCall {
  func serverSent(headers: HeaderBlock, endStream: Bool, from sender: ForwardedAttempt) {
    guard !isOver else { return }
    if let hedge, let attempt {
      if endStream, route?.hedging?.nonFatalCodes.contains(headers.statusCode) == true {
        route?.retries.hedgeFailed()
        return leave(sender, headers.statusCode)
      }
      leave(sender === attempt ? hedge : attempt, .cancelled)
    }
    admission?.isAnswered(at: loop.now, turn: loop.lastTurnNanoseconds)
    if endStream {
      status = headers.statusCode
      let pushback = headers.first("grpc-retry-pushback-ms")
      if status != .ok, retry(after: .status(status, pushback: pushback)) { return }
    }
    hasForwardedHeaders = true
    forget()
    client.respond(headers, endStream: endStream)
  }

  func serverSent(data: UnsafeRawBufferPointer) {
    guard !isOver else { return }
    serverCredit += data.count
    sentBytes += data.count
    client.write(Array(data))
    giveServerCredit()
  }

  func serverEnded(trailers: HeaderBlock?) {
    guard !isOver else { return }
    complete(trailers?.statusCode ?? status)
    isOver = true
    stopTimers()
    if !client.isFinished { client.finish(trailers: trailers) }
    // What the client still sends has nowhere to go.
    if held.hasEnded { attempt = nil } else { close() }
  }

  func serverBecameWritable() { giveClientCredit() }

  func serverClosed(_ stream: HTTP2Stream, errorCode: UInt32, from sender: ForwardedAttempt) {
    guard !isOver else { return }
    if hedge != nil { return leave(sender, .unavailable) }
    let isUnbegun = stream.wasNotSent || errorCode == HTTP2ErrorCode.refusedStream
    if isUnbegun, repeatUnbegun(hasLeft: !stream.wasNotSent) { return }
    if stream.abortReason != nil, retry(after: .lost) { return }
    end(
      isUnbegun
        ? RPCError(.unavailable, "the service did not take the call; try again")
        : RPCError(.unavailable, "the connection to the service broke before the call ended"))
  }
}

extension MethodDescriptor {
  /// Whether two replicas may be asked at once: one that only reads, of whose answers the first is as good as the other.
  fileprivate var mayBeHedged: Bool { kind == .unary && idempotency == .noSideEffects }
}
