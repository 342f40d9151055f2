import RPCCore
import RPCTransport

/// A server without sockets and TLS: its clients are in the same process, on the same event loop. Everything above the
/// socket is what products run, so a test or a simulation sees real HTTP/2 and real gRPC.
///
/// Unchecked Sendable: it may be handed between tasks; all but its creation happens on its loop.
public final class InProcessEndpoint: ConnectionSource, @unchecked Sendable {
  /// ":authority" of the calls.
  public let authority = "in-process"
  private let acceptor: any StreamAcceptor
  private let loop: EventLoop
  private let peer: Peer
  private let limits: HTTP2Limits
  private var connection: InProcessConnection?
  private var isStopped = false

  /// Serves what the acceptor answers. `peer` is who the clients are taken for.
  public init(
    _ acceptor: any StreamAcceptor, loop: EventLoop, peer: Peer = Peer(address: "in-process", certificate: nil),
    limits: HTTP2Limits = .init()
  ) {
    self.acceptor = acceptor
    self.loop = loop
    self.peer = peer
    self.limits = limits
  }

  deinit {
    guard let connection else { return }
    loop.execute { connection.close("the server in this process is gone") }
  }

  /// A channel to this server.
  public func channel(limits: CallLimits = .init()) -> ClientChannel {
    ClientChannel(self, loop: loop, limits: limits)
  }

  /// The client's end of the connection if it stands and takes calls.
  public var current: HTTP2Connection? {
    guard let client = connection?.client, !client.isClosing else { return nil }
    return client
  }

  /// The client's end of the connection, made if there is none. UNAVAILABLE after `stop`.
  public func connect(waitForReady: Bool) async throws(RPCError) -> HTTP2Connection {
    if let current { return current }
    guard !isStopped, let connection = InProcessConnection(acceptor, loop: loop, peer: peer, limits: limits) else {
      throw RPCError(.unavailable, "the server in this process has stopped")
    }
    self.connection = connection
    return connection.client
  }

  /// Ends the connection when its calls have ended; the next call makes another one.
  public func close() {
    connection?.drain()
    connection = nil
  }

  /// The server takes no more calls; running calls go on.
  public func stop() {
    isStopped = true
    close()
  }

  /// Cuts the connection as a broken network would; the next call makes another one.
  public func cut(_ reason: String) {
    connection?.close(reason)
    connection = nil
  }
}
