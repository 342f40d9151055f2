import Core
import Protobuf

/// How one call shall be made.
public struct CallOptions: Sendable {
  /// When to stop waiting; nil waits for ever.
  public var deadline: Deadline?
  /// What to send along.
  public var metadata: Metadata
  /// Wait for a connection instead of failing with UNAVAILABLE when there is none.
  public var waitForReady: Bool
  /// Whether requests go out in gzip, where it makes them smaller. A server that does not know gzip answers UNIMPLEMENTED.
  public var compressesRequests = false
  /// Whether the server may answer in gzip; whether it does is for its handler to say.
  public var acceptsCompressedReplies = false

  /// How one call shall be made.
  public init(deadline: Deadline? = nil, metadata: Metadata = .init(), waitForReady: Bool = false) {
    self.deadline = deadline
    self.metadata = metadata
    self.waitForReady = waitForReady
  }

  /// A deadline so long from now.
  public init(timeout: Duration, clock: some Clock = SystemClock()) {
    self.init(deadline: Deadline(after: timeout, clock: clock))
  }
}

/// Makes calls to one target. Use it from tasks of its event loop.
public protocol Channel: Sendable {
  /// Begins a call; the request follows by the call's `send`.
  func open(_ method: MethodDescriptor, _ options: CallOptions) async throws(RPCError) -> ClientCall
}

extension Channel {
  /// One request, one reply.
  public func unary<Request: Message, Response: Message>(
    _ method: MethodDescriptor, _ request: Request, _ options: CallOptions
  ) async throws -> Response {
    try decoded(
      try await unary(method, framed: request.serialized(reservingPrefix: framePrefixLength), options).message)
  }

  /// One request, one reply, in bytes; the request's first five bytes are room for the prefix.
  public func unary(
    _ method: MethodDescriptor, framed: consuming [UInt8], _ options: CallOptions
  ) async throws(RPCError) -> (message: [UInt8], trailingMetadata: Metadata) {
    let call = try await open(method, options)
    try await call.send(framed: framed)
    call.finishSending()
    guard let message = try await call.receive() else {
      throw RPCError(.internal, "the server answered OK without a message")
    }
    guard try await call.receive() == nil else {
      call.cancel()
      throw RPCError(.internal, "the server sent two messages where one is due")
    }
    return (message, call.trailingMetadata)
  }

  /// One request, many replies.
  public func serverStreaming<Request: Message, Response: Message>(
    _ method: MethodDescriptor, _ request: Request, _ options: CallOptions
  ) async throws -> ResponseReader<Response> {
    let call = try await open(method, options)
    try await call.send(framed: try request.serialized(reservingPrefix: framePrefixLength))
    call.finishSending()
    return ResponseReader(call: call)
  }

  /// Many requests, one or many replies.
  public func streaming<Request: Message, Response: Message>(
    _ method: MethodDescriptor, _ options: CallOptions
  ) async throws -> StreamingCall<Request, Response> {
    StreamingCall(call: try await open(method, options))
  }
}

/// A reply that cannot be decoded is the server's fault: INTERNAL, and not a bad request of whoever called us.
private func decoded<Response: Message>(_ bytes: [UInt8]) throws -> Response {
  do {
    return try Response(serialized: bytes)
  } catch {
    throw RPCError(.internal, "the server's reply cannot be decoded", cause: error)
  }
}

/// The replies of a streaming call, in order.
public struct ResponseReader<Response: Message>: @unchecked Sendable {
  // Unchecked: the call is confined to the event loop of its channel.
  /// The call in bytes.
  public let call: ClientCall

  init(call: ClientCall) { self.call = call }

  /// The next reply; nil after the last when the call ended with OK.
  public func next() async throws -> Response? {
    guard let bytes = try await call.receive() else { return nil }
    return try decoded(bytes)
  }
}

/// A call with many requests.
public struct StreamingCall<Request: Message, Response: Message>: @unchecked Sendable {
  // Unchecked: the call is confined to the event loop of its channel.
  /// The call in bytes.
  public let call: ClientCall

  init(call: ClientCall) { self.call = call }

  /// Sends a request; waits while the server does not read. `compressed: false` sends it as it is in a call whose requests
  /// are compressed.
  public func write(_ request: Request, compressed: Bool = true) async throws {
    try await call.send(framed: try request.serialized(reservingPrefix: framePrefixLength), compressed: compressed)
  }

  /// No more requests.
  public func finishSending() { call.finishSending() }

  /// The next reply; nil after the last when the call ended with OK.
  public func next() async throws -> Response? {
    guard let bytes = try await call.receive() else { return nil }
    return try decoded(bytes)
  }
}
