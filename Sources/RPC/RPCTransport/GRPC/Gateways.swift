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

extension HeaderBlock {
  /// Whether a content type is gRPC's.
  public static func isGRPC(contentType: UnsafeRawBufferPointer) -> Bool {
    GRPCHeaders.isGRPC(contentType: contentType)
  }

  /// The status in these trailers, or in headers that are the whole reply; no error is OK. INTERNAL if there is none.
  public var callStatus: RPCError? { GRPCHeaders.parseStatus(self).error }
}

/// The content of bytes in gzip. RESOURCE_EXHAUSTED beyond the limit, where inflating stops; INTERNAL if they are not gzip.
public func inflated(_ bytes: [UInt8], maximumBytes: Int) throws(RPCError) -> [UInt8] {
  try Gzip.inflate(bytes, maximumBytes: maximumBytes)
}

/// A timer of a call: cancel it when the call ends. Used on its loop only.
public struct CallTimer {
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
