import Core
import Glibc
import RPCCore
import Synchronization

/// The connections of one server on one event loop.
///
/// Unchecked Sendable: `connections` is touched on the loop only; the count is atomic.
final class ServerShare: @unchecked Sendable {
  let loop: EventLoop
  private let context: TLSContext
  private let acceptor: any StreamAcceptor
  private let limits: HTTP2Limits
  private let count = Atomic<Int>(0)
  private var connections: [ObjectIdentifier: SocketConnection] = [:]

  init(loop: EventLoop, context: TLSContext, acceptor: any StreamAcceptor, limits: HTTP2Limits) {
    self.loop = loop
    self.context = context
    self.acceptor = acceptor
    self.limits = limits
  }

  /// Connections now, for whoever asks.
  var connectionCount: Int { count.load(ordering: .relaxed) }

  /// Takes a socket that was accepted; called by the listener on its own loop.
  func take(_ descriptor: Int32, address: String) {
    count.add(1, ordering: .relaxed)
    loop.execute {
      let connection = SocketConnection(
        loop: self.loop, descriptor: descriptor, address: address, context: self.context, serverName: nil,
        limits: self.limits, isConnecting: false, owner: self)
      if let connection {
        self.connections[ObjectIdentifier(connection)] = connection
      } else {
        close(descriptor)
        self.count.subtract(1, ordering: .relaxed)
      }
    }
  }

  /// Does this with each connection, on their loop.
  func forEach(_ body: @escaping @Sendable (SocketConnection) -> Void) {
    loop.execute { for connection in self.connections.values { body(connection) } }
  }
}

extension ServerShare: SocketConnectionOwner {
  func connectionIsReady(_ connection: SocketConnection) {}

  func connection(_ connection: SocketConnection, opened stream: HTTP2Stream) -> (any HTTP2StreamHandler)? {
    acceptor.accept(stream, peer: connection.peer, loop: loop)
  }

  func connectionReceivedGoAway(_ connection: SocketConnection) { connection.closeWhenDone() }

  func connectionClosed(_ connection: SocketConnection, reason: String) {
    if connections.removeValue(forKey: ObjectIdentifier(connection)) != nil { count.subtract(1, ordering: .relaxed) }
  }
}
