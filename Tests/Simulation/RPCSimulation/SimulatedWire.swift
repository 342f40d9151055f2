/// One direction of a connection: bytes go in at one end and come out at the other, in order, later. It keeps them in pieces
/// of any length, as a network does.
struct SimulatedWire {
  /// What comes out.
  enum Arrival {
    case bytes([UInt8])
    /// The other end sends no more.
    case end
  }

  private var arrivals: [(at: UInt64, what: Arrival)] = []
  private var head = 0
  private(set) var bytesUnderWay = 0
  private var lineFreeAt: UInt64 = 0
  private var lastArrival: UInt64 = 0
  private var hasBegun = false
  private var hasEnded = false
  let route: Scenario.Route

  init(_ route: Scenario.Route) { self.route = route }

  /// When the next piece comes out; nil if nothing is under way.
  var nextArrival: UInt64? { head < arrivals.count ? arrivals[head].at : nil }

  /// Whether the sender may send more.
  var hasRoom: Bool { bytesUnderWay < route.capacity }

  /// Puts bytes in.
  mutating func send(_ bytes: UnsafeRawBufferPointer, at now: UInt64, _ random: SeededRandom) {
    guard !hasEnded else { return }
    var rest = bytes[...]
    if !hasBegun {
      // TLS hands over whole records: who has read the first bytes has read the settings.
      hasBegun = true
      add(.bytes(Array(rest)), at: max(lineFreeAt, now) + random.within(route.latency))
      bytesUnderWay += rest.count
      return
    }
    while !rest.isEmpty {
      let count = min(rest.count, 1 + random.below(random.chance(10) ? 9 : route.pieceBytes))
      let piece = rest.prefix(count)
      lineFreeAt = max(lineFreeAt, now) + UInt64(count) * route.nanosecondsPerByte
      add(.bytes(Array(piece)), at: lineFreeAt + random.within(route.latency))
      bytesUnderWay += count
      rest = rest.dropFirst(count)
    }
  }

  /// Puts the end in, behind what is under way.
  mutating func end(at now: UInt64, _ random: SeededRandom) {
    guard !hasEnded else { return }
    add(.end, at: max(lineFreeAt, now) + random.within(route.latency))
    hasEnded = true
  }

  /// Loses what is under way, and all that follows.
  mutating func cut() {
    arrivals = []
    head = 0
    hasEnded = true
  }

  /// Nothing comes out before this time.
  mutating func stall(until time: UInt64) {
    lineFreeAt = max(lineFreeAt, time)
    lastArrival = max(lastArrival, time)
    for index in head..<arrivals.count { arrivals[index].at = max(arrivals[index].at, time) }
  }

  /// Takes out what has arrived; nil if nothing has.
  mutating func arrival(at now: UInt64) -> Arrival? {
    guard let next = nextArrival, next <= now else { return nil }
    let what = arrivals[head].what
    head += 1
    if head == arrivals.count {
      arrivals = []
      head = 0
    }
    if case .bytes(let bytes) = what { bytesUnderWay -= bytes.count }
    return what
  }

  private mutating func add(_ what: Arrival, at time: UInt64) {
    lastArrival = max(lastArrival, time)
    arrivals.append((lastArrival, what))
  }
}
