import CNghttp2
import Core
import RPCCore

/// One gRPC call on a client's stream. Confined to its channel's loop.
///
/// Unchecked Sendable: only `cancel` may be called from elsewhere, and it hops to the loop.
final class GRPCClientStream: @unchecked Sendable {
  private let method: MethodDescriptor
  private let options: CallOptions
  private let loop: EventLoop
  private let limits: CallLimits
  private let metrics: CallMetrics
  private var began: UInt64 = 0
  private var sentBytes = 0
  private var receivedBytes = 0
  private var stream: HTTP2Stream?
  /// Weak: a caller that drops its call cancels it.
  private weak var call: ClientCall?
  private var deframer: MessageDeframer
  private var deadlineTimer: LoopTimer?
  private var heldCredit = 0
  private var isEnded = false
  private var httpError: RPCError?
  private var status: (error: RPCError?, metadata: Metadata)?

  init(method: MethodDescriptor, options: CallOptions, loop: EventLoop, limits: CallLimits, metrics: CallMetrics) {
    self.metrics = metrics
    self.method = method
    self.options = options
    self.loop = loop
    self.limits = limits
    deframer = MessageDeframer(maximumMessageBytes: limits.maximumMessageBytes)
  }

  func begin(on connection: HTTP2Connection, authority: String) throws(RPCError) -> ClientCall {
    var timeout: UInt64?
    let now = loop.clock.monotonicNanoseconds()
    if let deadline = options.deadline {
      let left = deadline.remainingNanoseconds(at: now)
      guard left > 0 else { throw RPCError(.deadlineExceeded, "the deadline passed before the call began") }
      timeout = left
    }
    let headers = GRPCHeaders.request(
      path: method.path, authority: authority, timeoutNanoseconds: timeout, options: options)
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

  /// Ends the call from our side.
  private func giveUp(_ error: RPCError) {
    guard !isEnded else { return }
    end(error, Metadata())
    stream?.reset(NGHTTP2_CANCEL.rawValue)
  }

  private func end(_ error: RPCError?, _ metadata: Metadata) {
    guard !isEnded else { return }
    isEnded = true
    if let deadlineTimer { loop.cancel(deadlineTimer) }
    deadlineTimer = nil
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
    if let httpError { return end(httpError, Metadata()) }
    if deframer.isMidMessage { return end(RPCError(.internal, "the reply ended within a message"), Metadata()) }
    guard let status else { return end(RPCError(.internal, "the reply ended without a status"), Metadata()) }
    end(status.error, status.metadata)
    // The server need not read what we still had to say.
    if stream?.isFinished == false { stream?.reset(NGHTTP2_CANCEL.rawValue) }
  }

  func becameWritable() { call?.becameWritable() }

  func closed(errorCode: UInt32) {
    if let reason = stream?.abortReason {
      end(RPCError(.unavailable, "the connection broke before the call ended: \(reason)"), Metadata())
    }
    end(GRPCClientStream.error(http2: errorCode), Metadata())
    stream = nil
  }

  /// The server says that it has done nothing of the call (RFC 9113, 8.7), or the call never left us.
  private static var refused: RPCError {
    var error = RPCError(.unavailable, "the server did not take the call; it can be repeated")
    error.wasRefused = true
    return error
  }

  /// The status that an HTTP/2 error code stands for (PROTOCOL-HTTP2.md of gRPC, "Errors").
  private static func error(http2 code: UInt32) -> RPCError {
    switch code {
    case NGHTTP2_REFUSED_STREAM.rawValue: refused
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
    stream?.connection?.statistics.messagesSent += 1
    let frame = finishFrame(framed, compressed: compressed && options.compressesRequests)
    sentBytes += frame.count - framePrefixLength
    stream?.write(frame)
  }

  func decompress(_ message: [UInt8]) throws(RPCError) -> [UInt8] {
    try Gzip.inflate(message, maximumBytes: limits.maximumMessageBytes)
  }

  func finishSending() { stream?.finish() }

  var isCongested: Bool { stream?.isCongested ?? false }

  func messagesConsumed() {
    // Less than before is always bearable.
    _ = countKept()
    giveCredit()
  }

  func cancel() {
    loop.execute { self.giveUp(RPCError(.cancelled, "the call was cancelled")) }
  }
}
