import Logging
import RPCCore
import Synchronization

/// Makes gRPC calls of the streams of a server's connections.
public final class GRPCAcceptor: StreamAcceptor {
  let router: Router
  let limits: CallLimits
  private let logger: Logger
  private let traces: Bool
  private let slowCalls: SlowCallLog?
  /// Answers the streams that are no gRPC calls; without it they get HTTP status 405 or 415.
  let fallback: (any StreamAcceptor)?
  /// What the compressed requests of all running calls were inflated to.
  private let inflatedBytes = Atomic(0)

  /// Answers the methods of a router. The causes of INTERNAL errors go to the log and nowhere else. Streams that are no gRPC
  /// calls go to `fallback`, or get HTTP status 405 or 415.
  public init(
    router: Router, limits: CallLimits = .init(), logger: Logger, fallback: (any StreamAcceptor)? = nil,
    slowCalls: SlowCallLog? = nil
  ) {
    self.slowCalls = slowCalls
    self.fallback = fallback
    self.router = router
    self.limits = limits
    self.logger = logger
    traces = logger.logLevel <= .trace
  }

  /// Begins a call on a stream.
  public func accept(_ stream: HTTP2Stream, peer: Peer, loop: EventLoop) -> (any HTTP2StreamHandler)? {
    GRPCServerStream(stream: stream, loop: loop, server: self, peer: peer)
  }

  /// Takes so many bytes for the content of a compressed request.
  func reserveInflated(_ count: Int) throws(RPCError) {
    guard inflatedBytes.add(count, ordering: .relaxed).newValue > limits.inflatedBytes else { return }
    releaseInflated(count)
    throw RPCError(.resourceExhausted, "too many large compressed requests at once; try again later or uncompressed")
  }

  func releaseInflated(_ count: Int) { inflatedBytes.subtract(count, ordering: .relaxed) }

  func reportFailure(_ call: ServerCall, _ error: RPCError) {
    var metadata = GRPCAcceptor.facts(call.context)
    metadata["method"] = .string(call.method.path)
    metadata["cause"] = .string(error.cause.map { "\($0)" } ?? error.message)
    logger.error("call failed", metadata: metadata)
  }

  /// What finds the call again in other logs.
  private static func facts(_ context: ServerContext?) -> Logger.Metadata {
    context?.trace.map { ["trace_id": .string($0.traceID)] } ?? [:]
  }

  func completed(_ method: MethodDescriptor?, _ context: ServerContext?, _ error: RPCError?, nanoseconds: UInt64) {
    slowCalls?.ended(method, error?.code ?? .ok, nanoseconds: nanoseconds) { GRPCAcceptor.facts(context) }
    guard traces else { return }
    logger.trace(
      "call ended",
      metadata: [
        "method": .string(method?.path ?? "-"), "code": .string((error?.code ?? .ok).description),
      ])
  }
}
