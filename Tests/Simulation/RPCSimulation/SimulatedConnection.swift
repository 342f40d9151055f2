import RPCCore
import RPCTransport

/// One end of a simulated connection: does for its HTTP/2 connection what a socket does in products. Confined to the loop.
final class SimulatedEnd: HTTP2ConnectionDelegate {
  let http2: HTTP2Connection
  /// What this end sends; the other end takes it out.
  var outgoing: SimulatedWire
  weak var other: SimulatedEnd?
  var accept: ((HTTP2Stream) -> (any HTTP2StreamHandler)?)?
  var onFirstBytes: (() -> Void)?
  var onGoAway: (() -> Void)?
  var onClose: (() -> Void)?
  private(set) var isClosed = false
  private var closesWhenDone = false
  private(set) var isDirty = true
  private let sabotage: Sabotage?

  init(_ http2: HTTP2Connection, _ route: Scenario.Route, _ sabotage: Sabotage?) {
    self.http2 = http2
    self.sabotage = sabotage
    outgoing = SimulatedWire(route)
    http2.delegate = self
  }

  /// Hands what HTTP/2 has to say to the wire, as long as it has room.
  func flush(at now: UInt64, _ random: SeededRandom) {
    isDirty = false
    guard !isClosed else { return }
    withUnsafeTemporaryAllocation(byteCount: 32_768, alignment: 16) { buffer in
      while outgoing.hasRoom {
        guard let count = http2.nextOutput(buffer) else { return close("the connection is broken", at: now, random) }
        if count == 0 { break }
        let frame = UnsafeRawBufferPointer(rebasing: buffer[0..<count])
        if sabotage?.loses(frame) != true { outgoing.send(frame, at: now, random) }
      }
    }
    guard !isClosed, outgoing.hasRoom else { return }
    if http2.isDone || closesWhenDone && http2.activeStreams == 0 { close("connection done", at: now, random) }
  }

  /// Something has come out of the other end's wire.
  func take(_ arrival: SimulatedWire.Arrival, at now: UInt64, _ random: SeededRandom) {
    // There is room again at the other end.
    other?.isDirty = true
    guard !isClosed else { return }
    switch arrival {
    case .end: close("connection closed by the peer", at: now, random)
    case .bytes(let bytes):
      guard bytes.withUnsafeBytes({ http2.receive($0) }) else {
        flush(at: now, random)
        return close("the peer broke the HTTP/2 protocol", at: now, random)
      }
      onFirstBytes?()
      onFirstBytes = nil
    }
  }

  func close(_ reason: String, at now: UInt64, _ random: SeededRandom) {
    guard !isClosed else { return }
    isClosed = true
    outgoing.end(at: now, random)
    http2.abort(reason)
    onClose?()
    (accept, onFirstBytes, onGoAway, onClose) = (nil, nil, nil, nil)
  }

  func closeWhenDone() {
    closesWhenDone = true
    isDirty = true
  }

  func connectionNeedsFlush() { isDirty = true }
  func connectionOpened(_ stream: HTTP2Stream) -> (any HTTP2StreamHandler)? { accept?(stream) }
  func connectionReceivedGoAway() { onGoAway?() }
  func connectionRefusedStreams() { closeWhenDone() }
  func connectionClosedStream() { if closesWhenDone { isDirty = true } }
}

/// A client's and a server's end.
final class SimulatedConnection {
  let client: SimulatedEnd
  let server: SimulatedEnd
  /// Streams that the server has accepted.
  private(set) var streams: [WeakStream] = []

  init?(_ scenario: Scenario, accept: @escaping (HTTP2Stream) -> (any HTTP2StreamHandler)?) {
    guard let client = HTTP2Connection(role: .client, limits: scenario.clientLimits),
      let server = HTTP2Connection(role: .server, limits: scenario.serverLimits)
    else { return nil }
    self.client = SimulatedEnd(client, scenario.forth, scenario.sabotage)
    self.server = SimulatedEnd(server, scenario.back, scenario.sabotage)
    self.client.other = self.server
    self.server.other = self.client
    self.server.accept = { [weak self] stream in
      self?.streams.append(WeakStream(stream: stream))
      return accept(stream)
    }
  }

  var ends: [SimulatedEnd] { [client, server] }
  var isOver: Bool { ends.allSatisfy { $0.isClosed && $0.outgoing.nextArrival == nil } }
}

struct WeakEnd {
  weak var http2: HTTP2Connection?
}

struct WeakStream {
  weak var stream: HTTP2Stream?
}
