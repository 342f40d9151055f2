import RPCCore

/// What a gateway needs of gRPC's wire format, without being a client or server of calls.
extension RPCError {
  /// This error as the trailers of a reply that has begun.
  public var trailers: HeaderBlock { GRPCHeaders.status(self, metadata: Metadata()) }

  /// This error as the only headers of a reply.
  public var responseHeaders: HeaderBlock {
    GRPCHeaders.status(self, metadata: Metadata(), appendedTo: GRPCHeaders.response(Metadata()))
  }
}

/// A timer of a call: cancel it when the call ends. Used on its loop only.
public final class CallTimer {
  private let loop: EventLoop
  private let timer: LoopTimer

  /// Calls `action` once, so many nanoseconds from now.
  public init(_ loop: EventLoop, afterNanoseconds delay: UInt64, _ action: @escaping () -> Void) {
    self.loop = loop
    timer = loop.schedule(afterNanoseconds: delay, action)
  }

  /// Forgets it; one that has fired is left alone.
  public func cancel() { loop.cancel(timer) }
}
