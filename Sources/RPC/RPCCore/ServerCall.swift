/// What carries a server call: HTTP/2 in products. Called on the call's event loop only.
public protocol ServerCallTransport: AnyObject {
  /// Queues a message; its first five bytes are room for the frame's prefix. Sends the headers first if need be. `compressed`
  /// says whether it may be, in a call whose replies are.
  func send(framed: consuming [UInt8], compressed: Bool)
  /// The content of a message that came compressed.
  func decompress(_ message: [UInt8]) throws(RPCError) -> [UInt8]
  /// The same for a large message, in pieces between which others have their turn.
  func decompressInPieces(_ message: [UInt8]) async throws(RPCError) -> [UInt8]
  /// As `send`, compressed in pieces between which others have their turn.
  func sendInPieces(framed: consuming [UInt8]) async
  /// Sends the headers now.
  func sendHeaders()
  /// Whether more is queued than the peer takes: the sender waits for `ServerCall.becameWritable()`.
  var isCongested: Bool { get }
  /// The handler has taken messages: the peer may get credit.
  func messagesConsumed()
}

extension ServerCallTransport {
  /// At once, for transports that compress nothing.
  public func decompressInPieces(_ message: [UInt8]) async throws(RPCError) -> [UInt8] { try decompress(message) }
  /// At once, for transports that compress nothing.
  public func sendInPieces(framed: consuming [UInt8]) async { send(framed: framed, compressed: true) }
}

/// One call as the server sees it, in bytes. Confined to the event loop of its connection, where its handler runs too.
public final class ServerCall {
  /// What is called.
  public let method: MethodDescriptor
  /// Everything about the call but its messages.
  public let context: ServerContext
  private var inbox = MessageInbox()
  private var transport: (any ServerCallTransport)?
  private var writeWaiters: [UnsafeContinuation<Void, Never>] = []
  private var failure: RPCError?
  private var impatience: RPCError?
  /// The only request, if it was opened before it is asked for.
  private var opened: [UInt8]?

  /// A call that a transport begins.
  public init(method: MethodDescriptor, context: ServerContext, transport: any ServerCallTransport) {
    self.method = method
    self.context = context
    self.transport = transport
  }

  /// The next request message; nil when the client has sent its last.
  public func receive() async throws(RPCError) -> [UInt8]? {
    guard let message = try await nextMessage() else { return nil }
    guard inbox.lastIsCompressed, message.count > largeMessageBytes, let transport else { return try taken(message) }
    taken()
    return try await transport.decompressInPieces(message)
  }

  /// Whether the only request is large and compressed: then `openOnly` comes before the handler.
  public var mustOpenOnly: Bool { inbox.nextCompressedBytes > largeMessageBytes }

  /// Opens the only request in pieces, so that `receiveOnly` need not.
  public func openOnly() async throws(RPCError) { opened = try await receive() }

  /// The only request message of a method that takes one: it has come before the handler starts, so nothing waits here.
  /// INTERNAL if there is none, as gRPC asks for.
  public func receiveOnly() throws(RPCError) -> [UInt8] {
    if let opened {
      self.opened = nil
      return opened
    }
    guard let message = try inbox.take() else {
      throw RPCError(.internal, "a \(method.name) call needs one request message and had none")
    }
    return try taken(message)
  }

  /// The next message, nil after the last one.
  private func nextMessage() async throws(RPCError) -> [UInt8]? {
    if let message = try inbox.take() { return message }
    if inbox.hasEnded { return nil }
    return try await withUnsafeContinuation { inbox.wait($0) }.get()
  }

  private func taken() {
    transport?.messagesConsumed()
    context.lastRequestWasCompressed = inbox.lastIsCompressed
  }

  private func taken(_ message: [UInt8]) throws(RPCError) -> [UInt8] {
    taken()
    // Inflated when it is read and not when it comes: what waits takes no more memory than it took on the wire.
    guard inbox.lastIsCompressed, let transport else { return message }
    return try transport.decompress(message)
  }

  /// Whether a reply of so many bytes is to be sent by `send`, which compresses it in pieces, and not by `sendOnly`.
  func compressesInPieces(_ count: Int) -> Bool { count > largeMessageBytes && context.compressesReplies }

  /// Sends the only reply of a method that gives one; there is no other to wait for.
  public func sendOnly(framed: consuming [UInt8]) throws(RPCError) {
    if let failure { throw failure }
    guard let transport else { throw RPCError(.cancelled, "the connection is gone") }
    transport.send(framed: framed, compressed: true)
  }

  /// Sends a message, and waits while the peer does not read. `compressed: false` sends it as it is in a call whose replies
  /// are compressed.
  public func send(framed: consuming [UInt8], compressed: Bool = true) async throws(RPCError) {
    if let failure { throw failure }
    guard let transport else { throw RPCError(.cancelled, "the connection is gone") }
    if compressed, compressesInPieces(framed.count) {
      await transport.sendInPieces(framed: framed)
      if let failure { throw failure }
    } else {
      transport.send(framed: framed, compressed: compressed)
    }
    if transport.isCongested, method.kind.serverStreams {
      await withUnsafeContinuation { writeWaiters.append($0) }
      if let failure { throw failure }
      if let impatience { throw impatience }
    }
  }

  /// Sends the headers now instead of with the first message.
  public func sendHeaders() {
    transport?.sendHeaders()
  }

  /// Ends a send that waits for a peer that does not read: it throws this. What is queued still goes out, and the call's status
  /// behind it. Nothing if no send waits.
  public func stopWaiting(_ error: RPCError) {
    guard !writeWaiters.isEmpty else { return }
    impatience = error
    becameWritable()
  }

  // MARK: for transports

  /// A request message has come.
  public func deliver(_ message: [UInt8], isCompressed: Bool = false) {
    inbox.push(message, isCompressed: isCompressed)
  }
  /// The client has sent its last message.
  public func deliverEnd() { inbox.finish(.success(())) }
  /// Bytes that came and were not read yet.
  public var unreadBytes: Int { inbox.unreadBytes }

  /// The call is over before its handler: reads and writes fail from now on.
  public func abort(_ error: RPCError) {
    failure = error
    transport = nil
    inbox.finish(.failure(error))
    becameWritable()
  }

  /// The handler has ended; lets go of the transport.
  public func finish() { transport = nil }

  /// The peer takes data again.
  public func becameWritable() {
    let waiters = writeWaiters
    writeWaiters = []
    for waiter in waiters { waiter.resume() }
  }
}
