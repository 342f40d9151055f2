import Logging
import RPCCore

/// Makes gRPC calls of the streams of a server's connections.
public final class GRPCAcceptor: StreamAcceptor {
  let router: Router
  let limits: CallLimits
  private let logger: Logger
  private let traces: Bool

  /// Answers the methods of a router. The causes of INTERNAL errors go to the log and nowhere else.
  public init(router: Router, limits: CallLimits = .init(), logger: Logger) {
    self.router = router
    self.limits = limits
    self.logger = logger
    traces = logger.logLevel <= .trace
  }

  /// Begins a call on a stream.
  public func accept(_ stream: HTTP2Stream, peer: Peer, loop: EventLoop) -> (any HTTP2StreamHandler)? {
    GRPCServerStream(stream: stream, loop: loop, server: self, peer: peer)
  }

  func reportFailure(_ method: MethodDescriptor, _ error: RPCError) {
    let cause = error.cause.map { "\($0)" } ?? error.message
    logger.error("call failed", metadata: ["method": .string(method.path), "cause": .string(cause)])
  }

  func completed(_ method: MethodDescriptor?, _ error: RPCError?) {
    guard traces else { return }
    logger.trace(
      "call ended",
      metadata: [
        "method": .string(method?.path ?? "-"), "code": .string((error?.code ?? .ok).description),
      ])
  }
}
