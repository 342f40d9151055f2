import Logging
import RPCCore
import RPCTransport

/// The connections of one client to one server, and what happens to them. A source of connections for the client's channel.
/// Confined to the loop.
///
/// Unchecked Sendable: calls on that loop hold it.
final class SimulatedNetwork: ConnectionSource, @unchecked Sendable {
  /// Pieces that one end takes before the tasks run, as a socket is read several times in a turn.
  private static let arrivalsPerTurn = 16

  let authority = "simulation"
  private let scenario: Scenario
  private let random: SeededRandom
  private let clock: VirtualClock
  private let acceptor: GRPCAcceptor
  private let loop: EventLoop
  /// Streams that the server is still to refuse.
  private var refusalsDue = 0
  /// Streams that it has refused.
  private(set) var refusals = 0
  private(set) var connections: [SimulatedConnection] = []
  private var standing: [SimulatedConnection] = []
  private var connecting: SimulatedConnection?
  /// Connections that broke before they stood.
  private var failures = 0
  private var waiting: [UnsafeContinuation<Void, Never>] = []
  private var pending: [(at: UInt64, act: (UInt64) -> Void)] = []
  /// Streams of connections that are over.
  private var over: [WeakStream] = []
  /// Ends of connections that are over.
  private var overEnds: [WeakEnd] = []

  init(_ scenario: Scenario, _ random: SeededRandom, _ clock: VirtualClock, acceptor: GRPCAcceptor, loop: EventLoop) {
    self.scenario = scenario
    self.random = random
    self.clock = clock
    self.acceptor = acceptor
    self.loop = loop
    let start = clock.monotonicNanoseconds()
    for (time, what) in scenario.disturbances {
      pending.append((start + time, { [unowned self] now in disturb(what, now) }))
    }
  }

  // MARK: for the channel

  /// A connection with room for a call, as products choose it.
  var current: HTTP2Connection? {
    let standing = standing.first { connection in
      let http2 = connection.client.http2
      return !connection.client.isClosed && !http2.isClosing && http2.activeStreams < http2.peerConcurrentStreams
    }
    return standing?.client.http2
  }

  /// A connection stands when the server's first bytes, its settings, have come.
  func connect(waitForReady: Bool) async throws(RPCError) -> HTTP2Connection {
    while true {
      if let current { return current }
      if connecting == nil { begin() }
      let earlier = failures
      await withUnsafeContinuation { waiting.append($0) }
      guard failures == earlier else { throw RPCError(.unavailable, "the connection broke before it stood") }
    }
  }

  private func begin() {
    let made = SimulatedConnection(scenario) { [unowned self] in accept($0) }
    guard let connection = made else { return }
    connecting = connection
    connection.client.onFirstBytes = { [weak self, weak connection] in
      guard let self, let connection, connecting === connection else { return }
      standing.append(connection)
      finishConnecting()
    }
    connection.client.onGoAway = { [weak self, weak connection] in
      guard let self, let connection else { return }
      standing.removeAll { $0 === connection }
      connection.client.closeWhenDone()
    }
    connection.client.onClose = { [weak self, weak connection] in
      guard let self, let connection else { return }
      standing.removeAll { $0 === connection }
      guard connecting === connection else { return }
      failures += 1
      finishConnecting()
    }
    connections.append(connection)
  }

  private func accept(_ stream: HTTP2Stream) -> (any HTTP2StreamHandler)? {
    guard refusalsDue == 0 else {
      refusalsDue -= 1
      refusals += 1
      return nil
    }
    return acceptor.accept(stream, peer: Peer(address: "simulation", certificate: nil), loop: loop)
  }

  private func finishConnecting() {
    connecting = nil
    let waiters = waiting
    waiting = []
    for waiter in waiters { waiter.resume() }
  }

  func close() {
    for connection in standing { connection.client.closeWhenDone() }
    standing = []
  }

  // MARK: for the simulation

  /// Nobody makes calls any more.
  func end() {
    for connection in connections { connection.client.closeWhenDone() }
    standing = []
  }

  /// When something happens next by itself; nil if nothing does.
  var nextEvent: UInt64? {
    let arrivals = connections.flatMap { $0.ends.compactMap(\.outgoing.nextArrival) }
    return (arrivals + pending.map(\.at)).min()
  }

  /// Does what is due; false if nothing was.
  func step(_ now: UInt64) -> Bool {
    forgetOver()
    var hasActed = false
    for connection in connections {
      for end in connection.ends where end.isDirty {
        end.flush(at: now, random)
        hasActed = true
      }
    }
    guard !hasActed else { return true }
    if let index = pending.firstIndex(where: { $0.at <= now }) {
      pending.remove(at: index).act(now)
      return true
    }
    for connection in connections {
      for (sender, receiver) in [(connection.client, connection.server), (connection.server, connection.client)] {
        for _ in 0..<SimulatedNetwork.arrivalsPerTurn {
          guard let arrival = sender.outgoing.arrival(at: now) else { break }
          receiver.take(arrival, at: now, random)
          hasActed = true
        }
      }
    }
    return hasActed
  }

  private func forgetOver() {
    connections.removeAll { connection in
      guard connection.isOver else { return false }
      over.append(contentsOf: connection.streams)
      overEnds.append(contentsOf: connection.ends.map { WeakEnd(http2: $0.http2) })
      return true
    }
  }

  /// Streams of connections that are over, and still somewhere.
  var livingStreams: Int { over.reduce(0) { $0 + ($1.stream == nil ? 0 : 1) } }

  /// Ends of connections that are over, and still somewhere.
  var livingEnds: Int { overEnds.reduce(0) { $0 + ($1.http2 == nil ? 0 : 1) } }

  private func disturb(_ what: Scenario.Disturbance, _ now: UInt64) {
    guard let connection = standing.isEmpty ? connections.last : random.pick(standing) else { return }
    switch what {
    case .cut:
      for end in connection.ends {
        end.outgoing.cut()
        let notice = now + random.within(0...2 * second)
        pending.append((notice, { [random] now in end.close("connection cut", at: now, random) }))
      }
    case .halfClose(let fromServer):
      let end = fromServer ? connection.server : connection.client
      end.outgoing.end(at: now, random)
    case .stall(let nanoseconds):
      for end in connection.ends { end.outgoing.stall(until: now + nanoseconds) }
    case .drain: connection.server.http2.drain()
    case .close: close()
    case .ping: connection.client.http2.ping()
    case .refuse: refusalsDue += 1
    }
  }
}
