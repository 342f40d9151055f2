import CNghttp2
import Core
import RPCCore

/// One gRPC call on a client's stream. Confined to its channel's loop.
///
/// Unchecked Sendable: only `cancel` may be called from elsewhere, and it hops to the loop.
final class GRPCClientStream: @unchecked Sendable {
  /// How often a call that has not left us is begun on another connection.
  private static let maximumRepeats = 5

  /// Where another connection comes from. Weak: a channel that nobody keeps ends.
  private weak var channel: ClientChannel?
  private let method: MethodDescriptor
  private let options: CallOptions
  private let loop: EventLoop
  private let limits: CallLimits
  private let metrics: CallMetrics
  private var began: UInt64 = 0
  private var sentBytes = 0
  private var receivedBytes = 0
  private var stream: HTTP2Stream?
  /// Whom the attempt that runs goes to.
  private var replica: Replica?
  /// Weak: a caller that drops its call cancels it.
  private weak var call: ClientCall?
  private var deframer: MessageDeframer
  private var deadlineTimer: LoopTimer?
  private var heldCredit = 0
  private var isEnded = false
  private var httpError: RPCError?
  private var status: (error: RPCError?, metadata: Metadata)?
  private var held = HeldRequest()
  private var repeats = 0
  private var wasRefused = false
  /// Attempts at the call that servers may have begun.
  private var attempts = 1
  /// What may be made again; nil for one of several attempts that run side by side.
  private let retries: RetryBudget?
  /// Waits for another connection, and before that for the time to look for one.
  var repeating: Task<Void, Never>?
  private var retryTimer: LoopTimer?

  init(
    _ method: MethodDescriptor, _ options: CallOptions, channel: ClientChannel, loop: EventLoop, limits: CallLimits,
    metrics: CallMetrics, after earlier: Int? = nil
  ) {
    retries = earlier == nil ? channel.retries : nil
    attempts = (earlier ?? 0) + 1
    self.channel = channel
    self.metrics = metrics
    self.method = method
    self.options = options
    self.loop = loop
    self.limits = limits
    deframer = MessageDeframer(maximumMessageBytes: limits.maximumMessageBytes)
  }

  func begin(on connection: HTTP2Connection, authority: String) throws(RPCError) -> ClientCall {
    let now = loop.clock.monotonicNanoseconds()
    let timeout = try open(on: connection, authority, at: now)
    began = now
    metrics.began(method)
    let call = ClientCall(method: method, transport: self)
    self.call = call
    if let timeout {
      deadlineTimer = loop.schedule(afterNanoseconds: timeout) { [weak self] in
        self?.giveUp(RPCError(.deadlineExceeded, "no answer within the deadline"))
      }
    }
    return call
  }

  /// Sends once more what was sent to a server that has not begun the call.
  func beginAgain(on connection: HTTP2Connection, authority: String) throws(RPCError) {
    guard !isEnded else { return }
    _ = try open(on: connection, authority, at: loop.clock.monotonicNanoseconds())
    held.forEach { stream?.write($0) }
    if held.hasEnded { stream?.finish() }
    if !isCongested { call?.becameWritable() }
  }

  /// Opens the stream; gives the time that the call has left.
  private func open(
    on connection: HTTP2Connection, _ authority: String, at now: UInt64
  ) throws(RPCError) -> UInt64? {
    let timeout = options.deadline?.remainingNanoseconds(at: now)
    guard timeout != 0 else { throw RPCError(.deadlineExceeded, "the deadline passed before the call began") }
    var headers = GRPCHeaders.request(
      path: method.path, authority: authority, timeoutNanoseconds: timeout, options: options)
    if attempts > 1 { headers.append("grpc-previous-rpc-attempts", String(attempts - 1)) }
    guard headers.listSize <= connection.peerHeaderListBytes else {
      throw RPCError(
        .resourceExhausted,
        "metadata of \(headers.listSize) bytes; the server takes at most \(connection.peerHeaderListBytes)")
    }
    guard let stream = connection.open(headers, handler: self) else {
      guard connection.isClosing else {
        throw RPCError(
          .resourceExhausted, "\(connection.activeStreams) calls are open on the connection; try again later")
      }
      throw RPCError(.unavailable, "the connection takes no more calls; try again")
    }
    self.stream = stream
    replica = connection.replica
    return timeout
  }

  /// Begins the call anew on another connection if no server can have begun it: one that has not left us several times, one
  /// that a server has refused once, so that a server which refuses for want of room is not pressed. False if it cannot be.
  private func makeAgain(hasLeft: Bool) -> Bool {
    guard !isEnded, held.isWhole, !(hasLeft && wasRefused), let channel else { return false }
    guard repeats < GRPCClientStream.maximumRepeats else { return false }
    repeats += 1
    replica = nil
    if hasLeft { wasRefused = true }
    channel.makeAgain(self, options)
    return true
  }

  /// Makes another attempt at a call that may be sent twice, if the budget allows it and the time does. False if not.
  private func retry(after failure: RetryBudget.Failure) -> Bool {
    guard !isEnded, held.isWhole, method.idempotency != .unknown, let channel, let budget = retries,
      let delay = budget.next(after: failure, attempts: attempts, loop.random),
      delay < options.deadline?.remainingNanoseconds(at: loop.clock.monotonicNanoseconds()) ?? .max
    else { return false }
    let code: StatusCode = if case .status(let code, _) = failure { code } else { .unavailable }
    attemptEnded(code)
    attempts += 1
    status = nil
    httpError = nil
    let old = stream
    stream = nil
    old?.handler = nil
    if old?.isFinished == false { old?.reset(NGHTTP2_CANCEL.rawValue) }
    retryTimer = loop.schedule(afterNanoseconds: delay) { [weak self] in
      guard let self, !isEnded else { return }
      retryTimer = nil
      channel.makeAgain(self, options)
    }
    return true
  }

  /// There is no connection for another attempt.
  func foundNoConnection(_ error: RPCError) {
    repeating = nil
    if error.code == .unavailable, attempts > 1, retry(after: .lost) { return }
    giveUp(error)
  }

  /// Ends the call from our side.
  func giveUp(_ error: RPCError) {
    guard !isEnded else { return }
    end(error, Metadata())
    stream?.reset(NGHTTP2_CANCEL.rawValue)
  }

  private func attemptEnded(_ code: StatusCode) {
    replica?.ended(code)
    replica = nil
  }

  private func end(_ error: RPCError?, _ metadata: Metadata) {
    guard !isEnded else { return }
    isEnded = true
    attemptEnded(error?.code ?? .ok)
    if let deadlineTimer { loop.cancel(deadlineTimer) }
    deadlineTimer = nil
    if let retryTimer { loop.cancel(retryTimer) }
    retryTimer = nil
    repeating?.cancel()
    repeating = nil
    held.forget()
    if error == nil { retries?.succeeded() }
    metrics.ended(
      method, error?.code ?? .ok, nanoseconds: loop.clock.monotonicNanoseconds() &- began, sentBytes: sentBytes,
      receivedBytes: receivedBytes)
    call?.end(error, trailingMetadata: metadata)
    call = nil
  }

  /// Tells the connection what is kept for the caller: false if it is too much.
  private func countKept() -> Bool {
    guard let stream else { return true }
    stream.awaitsRest = deframer.isMidMessage && !isEnded
    return stream.keep(isEnded ? 0 : deframer.bufferedBytes + (call?.unreadBytes ?? 0))
  }

  private func giveCredit() {
    guard heldCredit > 0, isEnded || (call?.unreadBytes ?? 0) < limits.unreadBytes else { return }
    stream?.consume(heldCredit)
    heldCredit = 0
  }
}

extension GRPCClientStream: HTTP2StreamHandler {
  func received(headers: HeaderBlock, endStream: Bool) {
    // A reply that is a status only may be followed by another attempt.
    if !endStream { held.forget() }
    let httpStatus = headers.first(":status") ?? ""
    if GRPCHeaders.hasStatus(headers) {
      status = GRPCHeaders.parseStatus(headers)
    } else if httpStatus != "200" {
      httpError = GRPCHeaders.error(httpStatus: httpStatus)
    } else if !GRPCHeaders.isGRPC(headers) {
      httpError = RPCError(.unknown, "the server answered with a content type that is not gRPC's")
    } else {
      deframer.encoding = MessageEncoding(headers)
      if deframer.encoding == .unknown {
        httpError = RPCError(.internal, "the server answers in a grpc-encoding that was not asked for")
      }
      call?.deliver(initialMetadata: GRPCHeaders.parseMetadata(headers))
    }
    if httpError != nil, !endStream { giveUp(httpError ?? RPCError(.unknown, "")) }
  }

  func received(data: UnsafeRawBufferPointer) {
    heldCredit += data.count
    defer { giveCredit() }
    guard !isEnded, let call else { return }
    do throws(RPCError) {
      try deframer.receive(data) {
        stream?.connection?.statistics.messagesReceived += 1
        receivedBytes += $0.count
        call.deliver($0, isCompressed: $1)
      }
      guard countKept() else { throw RPCError.tooManyHeldBytes }
    } catch {
      giveUp(error)
    }
  }

  func receivedEnd(trailers: HeaderBlock?) {
    if let trailers { status = GRPCHeaders.parseStatus(trailers) }
    if let error = httpError ?? status?.error {
      let pushback = status?.metadata.first("grpc-retry-pushback-ms")
      if retry(after: .status(error.code, pushback: pushback)) { return }
    }
    if let httpError { return end(httpError, Metadata()) }
    if deframer.isMidMessage { return end(RPCError(.internal, "the reply ended within a message"), Metadata()) }
    guard let status else { return end(RPCError(.internal, "the reply ended without a status"), Metadata()) }
    end(status.error, status.metadata)
    // The server need not read what we still had to say.
    if stream?.isFinished == false { stream?.reset(NGHTTP2_CANCEL.rawValue) }
  }

  func becameWritable() { call?.becameWritable() }

  func closed(errorCode: UInt32) {
    let ended = stream
    stream = nil
    heldCredit = 0
    // The call never left us, or the server says that it has done nothing of it (RFC 9113, 8.7).
    let neverLeft = ended?.wasNotSent == true
    if neverLeft || errorCode == NGHTTP2_REFUSED_STREAM.rawValue, makeAgain(hasLeft: !neverLeft) { return }
    if let reason = ended?.abortReason {
      if retry(after: .lost) { return }
      return end(RPCError(.unavailable, "the connection broke before the call ended: \(reason)"), Metadata())
    }
    end(GRPCClientStream.error(http2: errorCode), Metadata())
  }

  /// The status that an HTTP/2 error code stands for (PROTOCOL-HTTP2.md of gRPC, "Errors").
  private static func error(http2 code: UInt32) -> RPCError {
    switch code {
    case NGHTTP2_REFUSED_STREAM.rawValue:
      RPCError(.unavailable, "the server did not take the call; it can be repeated")
    case NGHTTP2_CANCEL.rawValue: RPCError(.cancelled, "the server has cancelled the stream")
    case NGHTTP2_ENHANCE_YOUR_CALM.rawValue: RPCError(.resourceExhausted, "the server asks for fewer calls")
    case NGHTTP2_INADEQUATE_SECURITY.rawValue: RPCError(.permissionDenied, "the connection is not secure enough")
    default: RPCError(.internal, "the stream ended with HTTP/2 error \(code) and no status")
    }
  }
}

extension GRPCClientStream: ClientCallTransport {
  func send(framed: consuming [UInt8], compressed: Bool) {
    guard !isEnded else { return }
    write(finishFrame(framed, compressed: compressed && options.compressesRequests))
  }

  func compressesInPieces(_ count: Int) -> Bool { count > largeMessageBytes && options.compressesRequests }

  func sendInPieces(framed: consuming [UInt8]) async {
    let framed = framed
    let deflation = Deflation(framed: framed)
    while !isEnded, !deflation.advance() { await loop.nextTurn() }
    guard !isEnded else { return }
    if let frame = deflation.frame { write(frame) } else { send(framed: framed, compressed: false) }
  }

  private func write(_ frame: [UInt8]) {
    sentBytes += frame.count - framePrefixLength
    held.add(frame)
    guard let stream else { return }
    stream.connection?.statistics.messagesSent += 1
    stream.write(frame)
    let isLong = method.kind.clientStreams && held.bytes > HeldRequest.streamedBytes
    if isLong, stream.queuedBytes < held.bytes { held.forget() }
  }

  func decompress(_ message: [UInt8]) async throws(RPCError) -> [UInt8] {
    let inflation = Inflation(message, maximumBytes: limits.maximumMessageBytes)
    while try !inflation.advance() {
      if message.count > largeMessageBytes { await loop.nextTurn() }
    }
    return inflation.content
  }

  func finishSending() {
    held.hasEnded = true
    stream?.finish()
  }

  /// Who waits for another connection takes one message more.
  var isCongested: Bool { stream?.isCongested ?? !isEnded }

  func messagesConsumed() {
    // Less than before is always bearable.
    _ = countKept()
    giveCredit()
  }

  func cancel() {
    loop.execute { self.giveUp(RPCError(.cancelled, "the call was cancelled")) }
  }
}
