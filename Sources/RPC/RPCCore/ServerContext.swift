/// What a handler knows of its call beside the messages. Confined to the call's event loop.
///
/// Unchecked Sendable so that it may be handed to the handler's task, which runs on that same loop.
public final class ServerContext: @unchecked Sendable {
  /// What is called.
  public let method: MethodDescriptor
  /// What the client sent along, without the headers that gRPC itself uses.
  public let metadata: Metadata
  /// When the client stops waiting; nil if it never does.
  public let deadline: Deadline?
  /// Who is at the other end of the connection.
  public let peer: Peer
  /// Who is calling; set by the identity interceptor.
  public var caller: Caller?
  /// Whether replies go out in gzip, if the client takes that and where it makes a message smaller. Set it before the first
  /// reply; off by default, since it costs more time than a fast network saves.
  public var compressesReplies = false
  /// Whether the request message that was read last came compressed.
  public internal(set) var lastRequestWasCompressed = false
  /// Goes out before the first reply message.
  public var initialMetadata = Metadata()
  /// Goes out with the status.
  public var trailingMetadata = Metadata()

  /// The context of a call that a transport begins.
  public init(method: MethodDescriptor, metadata: Metadata, deadline: Deadline?, peer: Peer) {
    self.method = method
    self.metadata = metadata
    self.deadline = deadline
    self.peer = peer
  }

  /// Options for a call made on behalf of this one: the same deadline, the same trace.
  public var outgoingOptions: CallOptions {
    var options = CallOptions(deadline: deadline)
    for key in ServerContext.traceKeys {
      if let value = metadata.first(key) { options.metadata.add(key, value) }
    }
    return options
  }

  /// Where the call belongs in a distributed trace; nil if the client did not say.
  public var trace: TraceContext? {
    metadata.values(ServerContext.traceKeys[0]).first.flatMap { $0.withUnsafeBytes(TraceContext.init(header:)) }
  }

  /// The headers of W3C Trace Context.
  private static let traceKeys = ["traceparent", "tracestate"]
}
