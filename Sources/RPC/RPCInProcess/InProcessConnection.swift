import RPCCore
import RPCTransport

/// One pair of joined connections: pumps the pipe on the loop while either end has something to say.
///
/// Unchecked Sendable: confined to its loop; the turns that it asks for run there.
final class InProcessConnection: @unchecked Sendable {
  private let pipe: HTTP2Pipe
  private let loop: EventLoop
  private let acceptor: any StreamAcceptor
  private let peer: Peer
  // HTTP/2 connections hold their delegates weakly.
  private var ends: [End] = []
  private var hasTurn = false
  private var isDraining = false
  private var isClosed = false

  var client: HTTP2Connection { pipe.client }

  init?(_ acceptor: any StreamAcceptor, loop: EventLoop, peer: Peer, limits: HTTP2Limits) {
    guard let pipe = HTTP2Pipe(clientLimits: limits, serverLimits: limits) else { return nil }
    self.pipe = pipe
    self.loop = loop
    self.acceptor = acceptor
    self.peer = peer
    ends = [End(self), End(self)]
    pipe.client.delegate = ends[0]
    pipe.server.delegate = ends[1]
    needsTurn()
  }

  /// Lets the client go elsewhere, and ends when the running streams have.
  func drain() {
    isDraining = true
    pipe.server.drain()
    needsTurn()
  }

  func close(_ reason: String) {
    guard !isClosed else { return }
    isClosed = true
    pipe.cut(reason)
    // The ends hold this object, so that it lives as long as it may be needed.
    ends = []
  }

  fileprivate func needsTurn() {
    guard !hasTurn, !isClosed else { return }
    hasTurn = true
    loop.spawn { self.turn() }
  }

  fileprivate func accept(_ stream: HTTP2Stream) -> (any HTTP2StreamHandler)? {
    acceptor.accept(stream, peer: peer, loop: loop)
  }

  private func turn() {
    hasTurn = false
    guard !isClosed else { return }
    switch pipe.pump() {
    case .carried: needsTurn()
    case .broken(let reason): close(reason)
    case .idle:
      if pipe.isDone || isDraining && pipe.client.activeStreams == 0 && pipe.server.activeStreams == 0 {
        close("connection done")
      }
    }
  }
}

/// What one end of the pipe tells the connection.
private final class End: HTTP2ConnectionDelegate {
  private let connection: InProcessConnection

  init(_ connection: InProcessConnection) { self.connection = connection }

  func connectionNeedsFlush() { connection.needsTurn() }

  func connectionOpened(_ stream: HTTP2Stream) -> (any HTTP2StreamHandler)? { connection.accept(stream) }

  func connectionReceivedGoAway() { connection.needsTurn() }

  func connectionClosedStream() { connection.needsTurn() }
}
