/// What carries a client call: HTTP/2 in products. Called on the call's event loop only.
public protocol ClientCallTransport: AnyObject, Sendable {
  /// Queues a message; its first five bytes are room for the frame's prefix. `compressed` says whether it may be, in a call
  /// whose requests are.
  func send(framed: consuming [UInt8], compressed: Bool)
  /// The content of a message that came compressed; of a large one in pieces between which others have their turn.
  func decompress(_ message: [UInt8]) async throws(RPCError) -> [UInt8]
  /// Whether a message of so many bytes is to be sent by `sendInPieces`.
  func compressesInPieces(_ count: Int) -> Bool
  /// As `send`, compressed in pieces between which others have their turn.
  func sendInPieces(framed: consuming [UInt8]) async
  /// No more messages follow.
  func finishSending()
  /// Whether more is queued than the peer takes: the sender waits for `ClientCall.becameWritable()`.
  var isCongested: Bool { get }
  /// The caller has taken messages: the peer may get credit.
  func messagesConsumed()
  /// Gives up. May be called from any thread.
  func cancel()
}

/// One call as the client sees it, in bytes. Confined to the event loop of its channel.
public final class ClientCall {
  /// What is called.
  public let method: MethodDescriptor
  /// What the server sent before its first message; empty until it comes.
  public private(set) var initialMetadata = Metadata()
  /// What the server sent with the status; empty until it comes.
  public private(set) var trailingMetadata = Metadata()
  private var inbox = MessageInbox()
  private let transport: any ClientCallTransport
  private var writeWaiters: [UnsafeContinuation<Void, Never>] = []
  private var ended = false

  /// A call that a transport begins.
  public init(method: MethodDescriptor, transport: any ClientCallTransport) {
    self.method = method
    self.transport = transport
  }

  deinit {
    // A caller that drops the call before its end has no more interest in it.
    if !ended { transport.cancel() }
  }

  /// Sends a message, and waits while the peer does not read. Nothing is sent once the call has ended: its status comes from
  /// `receive`. `compressed: false` sends it as it is in a call whose requests are compressed.
  public func send(framed: consuming [UInt8], compressed: Bool = true) async throws(RPCError) {
    guard !ended else { return }
    if compressed, transport.compressesInPieces(framed.count) {
      await transport.sendInPieces(framed: framed)
    } else {
      transport.send(framed: framed, compressed: compressed)
    }
    guard transport.isCongested, method.kind.clientStreams else { return }
    let transport = transport
    await withTaskCancellationHandler {
      await withUnsafeContinuation { continuation in
        // The task may have been cancelled before it came here, which ends the call at once.
        if ended { continuation.resume() } else { writeWaiters.append(continuation) }
      }
    } onCancel: {
      transport.cancel()
    }
  }

  /// No more messages follow.
  public func finishSending() {
    if !ended { transport.finishSending() }
  }

  /// The next reply message; nil after the last when the status is OK; throws the status otherwise. A cancelled task cancels
  /// the call.
  public func receive() async throws(RPCError) -> [UInt8]? {
    let transport = transport
    let result: Result<[UInt8]?, RPCError> = await withTaskCancellationHandler {
      do throws(RPCError) { return .success(try await nextMessage()) } catch { return .failure(error) }
    } onCancel: {
      transport.cancel()
    }
    transport.messagesConsumed()
    let received = try result.get()
    guard let message = received, inbox.lastIsCompressed else { return received }
    do throws(RPCError) {
      return try await transport.decompress(message)
    } catch {
      transport.cancel()
      throw error
    }
  }

  /// The next message, nil after the last one.
  private func nextMessage() async throws(RPCError) -> [UInt8]? {
    if let message = try inbox.take() { return message }
    if inbox.hasEnded { return nil }
    return try await withUnsafeContinuation { inbox.wait($0) }.get()
  }

  /// Whether the message that was received last came compressed.
  public var lastReplyWasCompressed: Bool { inbox.lastIsCompressed }

  /// Gives up: reads fail with CANCELLED, and the server is told.
  public func cancel() { transport.cancel() }

  // MARK: for transports

  /// The reply's headers have come.
  public func deliver(initialMetadata: Metadata) { self.initialMetadata = initialMetadata }
  /// A reply message has come.
  public func deliver(_ message: [UInt8], isCompressed: Bool = false) {
    inbox.push(message, isCompressed: isCompressed)
  }
  /// Bytes that came and were not read yet.
  public var unreadBytes: Int { inbox.unreadBytes }

  /// The call has ended; nil means OK.
  public func end(_ error: RPCError?, trailingMetadata: Metadata) {
    guard !ended else { return }
    ended = true
    self.trailingMetadata = trailingMetadata
    inbox.finish(error.map { .failure($0) } ?? .success(()))
    becameWritable()
  }

  /// The peer takes data again.
  public func becameWritable() {
    let waiters = writeWaiters
    writeWaiters = []
    for waiter in waiters { waiter.resume() }
  }
}
