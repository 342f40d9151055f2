import RPCCore

/// Where a channel gets its connection from: a pool over TLS, or a pipe within the process. Used on one loop.
public protocol ConnectionSource: AnyObject {
  /// ":authority" of the calls.
  var authority: String { get }
  /// A connection that takes a call at once; nil if there is none.
  var current: HTTP2Connection? { get }
  /// The connection, made if there is none. Throws UNAVAILABLE when the last attempt failed a short while ago, unless the
  /// caller waits for the next one.
  func connect(waitForReady: Bool) async throws(RPCError) -> HTTP2Connection
  /// Closes the connection when its calls have ended.
  func close()
}
