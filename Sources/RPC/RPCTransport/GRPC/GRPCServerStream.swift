import CNghttp2
import Core
import RPCCore

/// How a server treats its calls.
public struct CallLimits: Sendable, Equatable {
  /// Largest message that is taken, in bytes.
  public var maximumMessageBytes = 4_194_304
  /// Bytes of whole messages that may wait for a handler before the peer gets no more credit.
  public var unreadBytes = 65_536
  /// Bytes that the compressed requests of all running calls may have been inflated to: a thousandth of them can have come.
  public var inflatedBytes = 268_435_456

  /// The defaults.
  public init() {}
}

/// One gRPC call on a server's stream: HTTP/2 below, a handler's task above. Confined to its connection's loop.
final class GRPCServerStream {
  private let stream: HTTP2Stream
  private let loop: EventLoop
  private let server: GRPCAcceptor
  private let peer: Peer
  private var call: ServerCall?
  private var handle: CallHandler?
  private var task: Task<Void, Never>?
  private var deadlineTimer: LoopTimer?
  private var deframer: MessageDeframer
  private var heldCredit = 0
  private var receivedMessages = 0
  /// What is called; nil if nobody answers it.
  private var method: MethodDescriptor?
  private var began: UInt64 = 0
  private var sentBytes = 0
  private var receivedBytes = 0
  private var hasSentHeaders = false
  private var acceptsGzip = false
  private var compressesReplies = false
  /// What this call has of `CallLimits.inflatedBytes`: its largest compressed request.
  private var inflatedBytes = 0
  private var isFinished = false
  private var hasEnded = false

  init(stream: HTTP2Stream, loop: EventLoop, server: GRPCAcceptor, peer: Peer) {
    self.stream = stream
    self.loop = loop
    self.server = server
    self.peer = peer
    deframer = MessageDeframer(maximumMessageBytes: server.limits.maximumMessageBytes)
  }

  private func begin(_ request: GRPCHeaders.Request) {
    let now = loop.clock.monotonicNanoseconds()
    began = now
    method = request.binding?.method
    loop.metrics.began(method)
    guard let binding = request.binding else {
      return finish(server.router.unimplemented(path: request.unknownPath))
    }
    guard !request.hasBadTimeout else { return finish(RPCError(.internal, "grpc-timeout is no timeout")) }
    guard request.encoding != .unknown else { return refuseEncoding() }
    deframer.encoding = request.encoding
    acceptsGzip = request.acceptsGzip
    let deadline = request.timeoutNanoseconds.map {
      Deadline(monotonicNanoseconds: now.addingReportingOverflow($0).overflow ? .max : now + $0)
    }
    let context = ServerContext(method: binding.method, metadata: request.metadata, deadline: deadline, peer: peer)
    call = ServerCall(method: binding.method, context: context, transport: self)
    handle = binding.handle
    if let timeout = request.timeoutNanoseconds {
      // The end of the call breaks this cycle; a weak reference would make each use of the call slower.
      deadlineTimer = loop.schedule(afterNanoseconds: timeout) { [self] in
        interrupt(RPCError(.deadlineExceeded, "the deadline has passed"))
      }
    }
    if binding.method.kind.clientStreams { start() }
  }

  /// Starts the handler: for a streaming request at once, for a single one when it is there as a whole.
  private func start() {
    guard task == nil, let call, let handle else { return }
    self.handle = nil
    let bound = LoopBound((stream: self, call: call), on: loop)
    task = loop.spawn {
      let (stream, call) = bound.value
      do {
        if call.mustOpenOnly, !call.method.kind.clientStreams { try await call.openOnly() }
        try await handle(call)
        stream.finish(nil)
      } catch {
        stream.fail(call, error)
      }
    }
  }

  private func fail(_ call: ServerCall, _ error: any Error) {
    let status = RPCError(converting: error)
    // A call that was ended already failed by its peer's fault, which is not for our log.
    if status.code == .internal, !isFinished { server.reportFailure(call, status) }
    finish(status)
  }

  /// Ends the call before its handler has: deadline or a broken request.
  private func interrupt(_ error: RPCError) {
    guard !isFinished else { return }
    call?.abort(error)
    task?.cancel()
    finish(error)
    deframer = MessageDeframer(maximumMessageBytes: server.limits.maximumMessageBytes)
    _ = countKept()
  }

  /// Sends the status; nil is OK. The first one counts.
  private func finish(_ error: RPCError?) {
    guard !isFinished else { return }
    isFinished = true
    stopTimer()
    if inflatedBytes > 0 { giveInflatedBack() }
    let trailing = call?.context.trailingMetadata ?? Metadata()
    call?.finish()
    if hasSentHeaders {
      stream.finish(trailers: fitting(GRPCHeaders.status(error, metadata: trailing), orAfter: HeaderBlock()))
    } else {
      let headers = GRPCHeaders.response(call?.context.initialMetadata ?? Metadata())
      let all = GRPCHeaders.status(error, metadata: trailing, appendedTo: headers)
      stream.respond(fitting(all, orAfter: GRPCHeaders.response(Metadata())), endStream: true)
    }
    complete(error)
  }

  private func complete(_ error: RPCError?) {
    let nanoseconds = loop.clock.monotonicNanoseconds() &- began
    loop.metrics.ended(
      method, error?.code ?? .ok, nanoseconds: nanoseconds, sentBytes: sentBytes, receivedBytes: receivedBytes)
    server.completed(method, call?.context, error, nanoseconds: nanoseconds)
  }

  /// The trailers, or RESOURCE_EXHAUSTED in their place: headers that the client does not take would cost it the status.
  private func fitting(_ trailers: HeaderBlock, orAfter headers: HeaderBlock) -> HeaderBlock {
    guard let limit = stream.connection?.peerHeaderListBytes, trailers.listSize > limit else { return trailers }
    let error = GRPCHeaders.tooLarge(trailers, limit: limit)
    return GRPCHeaders.status(error, metadata: Metadata(), appendedTo: headers)
  }

  private func refuseEncoding() {
    isFinished = true
    var headers = GRPCHeaders.response(Metadata())
    headers.append("grpc-accept-encoding", MessageEncoding.accepted)
    let error = MessageEncoding.unimplemented
    stream.respond(GRPCHeaders.status(error, metadata: Metadata(), appendedTo: headers), endStream: true)
    complete(error)
  }

  private func refuse(httpStatus: String) {
    isFinished = true
    stream.handler = HTTPRefusal(stream, status: httpStatus)
  }

  /// Hands a stream that is no gRPC call to whoever answers those, if anybody does.
  private func passOn(_ headers: HeaderBlock, endStream: Bool) -> Bool {
    guard let handler = server.fallback?.accept(stream, peer: peer, loop: loop) else { return false }
    isFinished = true
    stream.handler = handler
    handler.received(headers: headers, endStream: endStream)
    return true
  }

  private func stopTimer() {
    guard let timer = deadlineTimer else { return }
    loop.cancel(timer)
    deadlineTimer = nil
  }

  private func giveInflatedBack() {
    server.releaseInflated(inflatedBytes)
    inflatedBytes = 0
  }

  /// Tells the connection what is kept for the handler: false if it is too much.
  private func countKept() -> Bool {
    stream.awaitsRest = deframer.isMidMessage && !isFinished
    return stream.keep(isFinished ? 0 : deframer.bufferedBytes + (call?.unreadBytes ?? 0))
  }

  private func giveCredit() {
    guard heldCredit > 0, (call?.unreadBytes ?? 0) < server.limits.unreadBytes else { return }
    stream.consume(heldCredit)
    heldCredit = 0
  }
}

extension GRPCServerStream: HTTP2StreamHandler {
  func received(headers: HeaderBlock, endStream: Bool) {
    let request = GRPCHeaders.parseRequest(headers, router: server.router)
    if !request.isPost || !request.isGRPC, passOn(headers, endStream: endStream) { return }
    guard request.isPost else { return refuse(httpStatus: "405") }
    guard request.isGRPC else { return refuse(httpStatus: "415") }
    begin(request)
  }

  func received(data: UnsafeRawBufferPointer) {
    heldCredit += data.count
    defer { giveCredit() }
    guard !isFinished, let call else { return }
    do throws(RPCError) {
      try deframer.receive(data) { message, isCompressed in
        receivedMessages += 1
        receivedBytes += message.count
        stream.connection?.statistics.messagesReceived += 1
        call.deliver(message, isCompressed: isCompressed)
      }
      if receivedMessages > 1, !call.method.kind.clientStreams {
        throw RPCError(.internal, "a \(call.method.name) call takes one request message and had more")
      }
      guard countKept() else { throw RPCError.tooManyHeldBytes }
    } catch {
      interrupt(error)
    }
  }

  func receivedEnd(trailers: HeaderBlock?) {
    hasEnded = true
    guard !isFinished, let call else { return }
    if deframer.isMidMessage { return interrupt(RPCError(.internal, "the request ended within a message")) }
    call.deliverEnd()
    start()
  }

  func becameWritable() { call?.becameWritable() }

  func closed(errorCode: UInt32) {
    stopTimer()
    let error = RPCError(.cancelled, "the client has cancelled the call")
    call?.abort(error)
    if !isFinished {
      isFinished = true
      task?.cancel()
      if inflatedBytes > 0 { giveInflatedBack() }
      complete(error)
    }
    // The handler's task, if it still runs, keeps the call; the call no longer keeps the stream.
    call = nil
    handle = nil
  }
}

extension GRPCServerStream: ServerCallTransport {
  func send(framed: consuming [UInt8], compressed: Bool) {
    guard !isFinished else { return }
    guard stream.mayQueue(framed.count) else { return interrupt(RPCError.tooManyHeldBytes) }
    sendHeaders()
    write(finishFrame(framed, compressed: compressed && compressesReplies))
  }

  func sendInPieces(framed: consuming [UInt8]) async {
    let framed = framed
    sendHeaders()
    guard compressesReplies else { return send(framed: framed, compressed: false) }
    let deflation = Deflation(framed: framed)
    while !isFinished, !deflation.advance() { await loop.nextTurn() }
    guard !isFinished else { return }
    guard let frame = deflation.frame else { return send(framed: framed, compressed: false) }
    guard stream.mayQueue(frame.count) else { return interrupt(RPCError.tooManyHeldBytes) }
    write(frame)
  }

  private func write(_ frame: [UInt8]) {
    stream.connection?.statistics.messagesSent += 1
    sentBytes += frame.count - framePrefixLength
    stream.write(frame)
  }

  func decompress(_ message: [UInt8]) throws(RPCError) -> [UInt8] {
    do throws(RPCError) {
      let content = try Gzip.inflate(message, maximumBytes: server.limits.maximumMessageBytes)
      try countInflated(content.count)
      return content
    } catch {
      throw interrupted(error)
    }
  }

  func decompressInPieces(_ message: [UInt8]) async throws(RPCError) -> [UInt8] {
    let inflation = Inflation(message, maximumBytes: server.limits.maximumMessageBytes)
    do throws(RPCError) {
      while try !inflation.advance() {
        try countInflated(inflation.content.count)
        await loop.nextTurn()
        if isFinished { throw RPCError(.cancelled, "the call has ended") }
      }
      try countInflated(inflation.content.count)
      return inflation.content
    } catch {
      throw interrupted(error)
    }
  }

  /// The call has inflated a message to so many bytes, or has come so far with it: its largest one counts.
  private func countInflated(_ count: Int) throws(RPCError) {
    let growth = count - inflatedBytes
    guard growth > 0, !isFinished else { return }
    try server.reserveInflated(growth)
    inflatedBytes += growth
  }

  /// The client's fault, like a bad frame: it ends the call, whatever the handler makes of it.
  private func interrupted(_ error: RPCError) -> RPCError {
    interrupt(error)
    return error
  }

  func sendHeaders() {
    guard !hasSentHeaders, !isFinished else { return }
    compressesReplies = acceptsGzip && call?.context.compressesReplies == true
    let headers = GRPCHeaders.response(call?.context.initialMetadata ?? Metadata(), compressed: compressesReplies)
    if let limit = stream.connection?.peerHeaderListBytes, headers.listSize > limit {
      call?.context.initialMetadata = Metadata()
      return interrupt(GRPCHeaders.tooLarge(headers, limit: limit))
    }
    hasSentHeaders = true
    stream.respond(headers)
  }

  var isCongested: Bool { stream.isCongested }

  func messagesConsumed() {
    // Less than before is always bearable.
    _ = countKept()
    giveCredit()
  }
}

extension RPCError {
  /// The limits of `HTTP2Limits` or the process's `ByteBudget` are reached.
  static let tooManyHeldBytes = RPCError(
    .resourceExhausted, "too many bytes of calls are held here; read what has come, or try again later")
}
