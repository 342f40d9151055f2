import RPCCore

/// A call that waits for a connection; the first result counts. Confined to one loop, so the result is kept here and not
/// sent through the continuation.
final class ConnectionWaiter {
  /// Until when it waits in any case.
  var patientUntil: UInt64 = 0
  let waitsForReady: Bool
  /// Attempts of its pool that had failed when it began to wait.
  let earlierFailures: Int
  private var continuation: UnsafeContinuation<Void, Never>?
  private var result: Result<HTTP2Connection, RPCError>?
  /// Whether it waits no longer: it has a result, or its task was cancelled.
  var isResumed: Bool { result != nil }

  init(waitsForReady: Bool, earlierFailures: Int = 0) {
    self.waitsForReady = waitsForReady
    self.earlierFailures = earlierFailures
  }

  func resume(_ result: Result<HTTP2Connection, RPCError>) {
    guard self.result == nil else { return }
    self.result = result
    continuation?.resume()
    continuation = nil
  }

  /// Waits for the result; once only. A cancelled task waits no longer.
  func connection(on loop: EventLoop) async throws(RPCError) -> HTTP2Connection {
    let bound = LoopBound(self, on: loop)
    await withTaskCancellationHandler {
      await withUnsafeContinuation { if result == nil { continuation = $0 } else { $0.resume() } }
    } onCancel: {
      loop.execute {
        bound.value.resume(.failure(RPCError(.cancelled, "the call was cancelled while it waited for a connection")))
      }
    }
    guard let result else { throw RPCError(.internal, "a waiting call was woken without a result") }
    return try result.get()
  }
}
