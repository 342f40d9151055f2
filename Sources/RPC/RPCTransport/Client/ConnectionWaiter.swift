import RPCCore

/// A call that waits for a connection; the first result counts. Confined to one loop, so the result is kept here and not
/// sent through the continuation.
final class ConnectionWaiter {
  let waitsForReady: Bool
  private var continuation: UnsafeContinuation<Void, Never>?
  private var result: Result<HTTP2Connection, RPCError>?

  init(waitsForReady: Bool) { self.waitsForReady = waitsForReady }

  func resume(_ result: Result<HTTP2Connection, RPCError>) {
    guard self.result == nil else { return }
    self.result = result
    continuation?.resume()
    continuation = nil
  }

  /// Waits for the result; once only.
  func connection() async throws(RPCError) -> HTTP2Connection {
    if result == nil { await withUnsafeContinuation { continuation = $0 } }
    guard let result else { throw RPCError(.internal, "a waiting call was woken without a result") }
    return try result.get()
  }
}
