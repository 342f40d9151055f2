import Protobuf

/// A handler of a call in bytes.
public typealias CallHandler = @Sendable (ServerCall) async throws -> Void

/// A method and what answers it. Generated code makes these from a service's handler.
public struct MethodBinding: Sendable {
  /// The method.
  public let method: MethodDescriptor
  /// What answers it.
  public let handle: CallHandler

  /// A binding in bytes.
  public init(_ method: MethodDescriptor, _ handle: @escaping CallHandler) {
    self.method = method
    self.handle = handle
  }

  /// One request, one reply.
  public static func unary<Request: Message, Response: Message>(
    _ method: MethodDescriptor, _ body: @escaping @Sendable (Request, ServerContext) async throws -> Response
  ) -> MethodBinding {
    MethodBinding(method) { call in
      let request = try Request(serialized: try call.receiveOnly())
      let response = try await body(request, call.context)
      let reply = try response.serialized(reservingPrefix: framePrefixLength)
      if call.compressesInPieces(reply.count) {
        try await call.send(framed: reply)
      } else {
        try call.sendOnly(framed: reply)
      }
    }
  }

  /// One request, many replies.
  public static func serverStreaming<Request: Message, Response: Message>(
    _ method: MethodDescriptor,
    _ body: @escaping @Sendable (Request, ResponseWriter<Response>, ServerContext) async throws -> Void
  ) -> MethodBinding {
    MethodBinding(method) { call in
      let request = try Request(serialized: try call.receiveOnly())
      try await body(request, ResponseWriter(call: call), call.context)
    }
  }

  /// Many requests, one reply.
  public static func clientStreaming<Request: Message, Response: Message>(
    _ method: MethodDescriptor,
    _ body: @escaping @Sendable (RequestReader<Request>, ServerContext) async throws -> Response
  ) -> MethodBinding {
    MethodBinding(method) { call in
      let response = try await body(RequestReader(call: call), call.context)
      let reply = try response.serialized(reservingPrefix: framePrefixLength)
      if call.compressesInPieces(reply.count) {
        try await call.send(framed: reply)
      } else {
        try call.sendOnly(framed: reply)
      }
    }
  }

  /// Many of both.
  public static func bidirectional<Request: Message, Response: Message>(
    _ method: MethodDescriptor,
    _ body: @escaping @Sendable (RequestReader<Request>, ResponseWriter<Response>, ServerContext) async throws -> Void
  ) -> MethodBinding {
    MethodBinding(method) { call in
      try await body(RequestReader(call: call), ResponseWriter(call: call), call.context)
    }
  }
}

/// A message beyond this size is compressed and inflated in pieces of it, between which others have their turn.
public let largeMessageBytes = 65_536

/// Bytes before each message on the wire: a flag for compression and the length.
public let framePrefixLength = 5

/// The requests of a streaming call, in order.
public struct RequestReader<Request: Message>: @unchecked Sendable {
  // Unchecked: the call is confined to the loop on which the handler runs.
  private let call: ServerCall

  init(call: ServerCall) { self.call = call }

  /// The next request; nil after the last.
  public func next() async throws -> Request? {
    guard let bytes = try await call.receive() else { return nil }
    return try Request(serialized: bytes)
  }
}

/// Where a handler writes its replies.
public struct ResponseWriter<Response: Message>: @unchecked Sendable {
  // Unchecked: the call is confined to the loop on which the handler runs.
  private let call: ServerCall

  init(call: ServerCall) { self.call = call }

  /// Sends the initial metadata now, so that the client knows that the call was accepted.
  public func sendHeaders() { call.sendHeaders() }

  /// Sends a reply; waits while the client does not read. `compressed: false` sends it as it is in a call whose replies are
  /// compressed.
  public func write(_ response: Response, compressed: Bool = true) async throws {
    try await call.send(framed: try response.serialized(reservingPrefix: framePrefixLength), compressed: compressed)
  }

  /// Ends a write that waits for a client that does not read: it throws this, and what is queued still goes out. Called on the
  /// call's event loop. Nothing if no write waits.
  public func stopWaiting(_ error: RPCError) { call.stopWaiting(error) }
}
