import Core
import Glibc
import RPCCore
import Synchronization

/// The connections of one server on one event loop.
///
/// Unchecked Sendable: `connections` is touched on the loop only; the count is atomic.
final class ServerShare: @unchecked Sendable {

  let loop: EventLoop
  private let certificates: TLSCertificates
  private let acceptor: any StreamAcceptor
  private let limits: HTTP2Limits
  private let budget: ByteBudget
  private let connectionLimits: ConnectionLimits
  private let onRefusedPeer: @Sendable (String, String) -> Void
  private var isDraining = false
  private let count = Atomic<Int>(0)
  private var connections: [ObjectIdentifier: SocketConnection] = [:]
  /// Connections whose handshake goes on, by the number in which they came, and the least number that may be among them.
  private var handshakes: [Int: SocketConnection] = [:]
  private var oldestHandshake = 0
  private var accepted = 0
  private let maximumHandshakes: Int
  private let gate: ConnectionGate
  /// Calls that each connection may begin in a second.
  private let callRate: Rate?
  /// Of connections that are gone.
  private var past = ConnectionStatistics()

  init(
    loop: EventLoop, certificates: TLSCertificates, acceptor: any StreamAcceptor,
    _ configuration: Server.Configuration, gate: ConnectionGate, shares: Int
  ) {
    self.gate = gate
    let perSecond = configuration.callsPerSecond
    callRate = perSecond > 0 ? Rate(perSecond: perSecond, burst: perSecond) : nil
    maximumHandshakes = max(1, configuration.maximumHandshakes / shares)
    self.loop = loop
    self.certificates = certificates
    self.acceptor = acceptor
    limits = configuration.limits
    budget = configuration.budget
    connectionLimits = configuration.connectionLimits
    onRefusedPeer = configuration.onRefusedPeer
  }

  /// Connections now, for whoever asks.
  var connectionCount: Int { count.load(ordering: .relaxed) }

  /// Takes a socket that was accepted; called by the listener on its own loop.
  func take(_ descriptor: Int32, _ address: SocketAddress) {
    count.add(1, ordering: .relaxed)
    loop.execute { self.begin(descriptor, address) }
  }

  /// Lets all clients go elsewhere: each connection ends with its last call. Those that come from now on are closed.
  func drain() {
    loop.execute {
      self.isDraining = true
      for connection in self.connections.values { connection.drain() }
    }
  }

  private func begin(_ descriptor: Int32, _ address: SocketAddress) {
    let connection =
      isDraining
      ? nil
      : SocketConnection(
        loop: loop, descriptor: descriptor, address: address.description, context: certificates.current,
        serverName: nil,
        limits: limits, budget: budget,
        life: connectionLimits, isConnecting: false, owner: self)
    if let connection {
      connections[ObjectIdentifier(connection)] = connection
      connection.number = accepted
      connection.source = address.source
      handshakes[accepted] = connection
      accepted += 1
      if handshakes.count > maximumHandshakes { dropOldestHandshake() }
    } else {
      close(descriptor)
      gate.giveBack(address.source)
      count.subtract(1, ordering: .relaxed)
    }
  }

  /// Who means it is done within a few round trips, so the oldest ones are those who do not.
  private func dropOldestHandshake() {
    while oldestHandshake < accepted {
      defer { oldestHandshake += 1 }
      guard let oldest = handshakes[oldestHandshake] else { continue }
      gate.count(.handshakes)
      return oldest.close("too many handshakes go on at once")
    }
  }

  /// Figures of all connections that there were, and those that there are.
  var facts: (ConnectionStatistics, [SocketFacts]) {
    loop.assertOnLoop()
    let sockets = connections.values.map { $0.facts(peerName: "") }
    return (sockets.reduce(into: past) { $0 += $1.statistics }, sockets)
  }

  /// Does this with each connection, on their loop.
  func forEach(_ body: @escaping @Sendable (SocketConnection) -> Void) {
    loop.execute { for connection in self.connections.values { body(connection) } }
  }
}

extension ServerShare: SocketConnectionOwner {
  func connectionIsReady(_ connection: SocketConnection) { handshakes[connection.number] = nil }

  func connection(_ connection: SocketConnection, opened stream: HTTP2Stream) -> (any HTTP2StreamHandler)? {
    if let callRate, connection.calls.take(callRate, at: loop.now) != nil {
      // gRPC takes this code for RESOURCE_EXHAUSTED, and REFUSED_STREAM for a reason to try again at once.
      stream.reset(HTTP2ErrorCode.enhanceYourCalm)
      return nil
    }
    return acceptor.accept(stream, peer: connection.peer, loop: loop)
  }

  func connectionReceivedGoAway(_ connection: SocketConnection) { connection.closeWhenDone() }

  func connectionClosed(_ connection: SocketConnection, reason: String) {
    handshakes[connection.number] = nil
    guard connections.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return }
    gate.giveBack(connection.source)
    count.subtract(1, ordering: .relaxed)
    if connection.hasRefusedPeer { onRefusedPeer(connection.address, reason) }
    if let statistics = connection.http2?.statistics { past += statistics }
  }
}
