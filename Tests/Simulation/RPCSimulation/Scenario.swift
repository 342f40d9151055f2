import RPCCore
import RPCTransport

/// What one seed stands for: a network, a server, a client's calls and the disturbances meanwhile. All of it is drawn before
/// anything runs.
struct Scenario {
  /// How bytes travel in one direction.
  struct Route {
    var latency: ClosedRange<UInt64>
    /// Time that a byte takes on the line; a slow peer reads slowly.
    var nanosecondsPerByte: UInt64
    /// Bytes under way before the sender has to wait, as in a socket's buffers.
    var capacity: Int
    /// Largest piece that arrives at once.
    var pieceBytes: Int
  }

  /// What happens to the connection that stands at a moment.
  enum Disturbance {
    /// All that is under way is lost; each end notices after a while of its own.
    case cut
    /// One end is told that the other will send no more, though it did not mean to end.
    case halfClose(fromServer: Bool)
    /// Nothing arrives for so long.
    case stall(nanoseconds: UInt64)
    /// The server sends its client elsewhere.
    case drain
    /// The client is done with the connection.
    case close
    /// The client asks for a sign of life.
    case ping
    /// The server refuses the next stream unseen, as one that holds too much.
    case refuse

    /// Whether calls may be lost by it.
    var losesCalls: Bool {
      switch self {
      case .cut, .halfClose: true
      case .stall, .drain, .close, .ping, .refuse: false
      }
    }
  }

  var forth: Route
  var back: Route
  var clientLimits = HTTP2Limits()
  var serverLimits = HTTP2Limits()
  var calls: [CallPlan] = []
  var disturbances: [(at: UInt64, what: Disturbance)] = []
  /// A fault of both ends.
  var sabotage: Sabotage?

  /// Whether each call that is not given up must end as its plan says.
  var isLossless: Bool { !disturbances.contains { $0.what.losesCalls } }

  /// Draws a scenario with so many calls.
  init(_ random: SeededRandom, calls count: Int) {
    forth = Scenario.route(random)
    back = Scenario.route(random)
    for keyPath in [\Scenario.clientLimits, \Scenario.serverLimits] {
      self[keyPath: keyPath].streamWindowBytes = random.pick([1_024, 16_384, 262_144])
      self[keyPath: keyPath].connectionWindowBytes = random.pick([65_535, 1_048_576])
    }
    serverLimits.concurrentStreams = random.pick([1, 3, 1_000])
    let span = random.pick([millisecond, 100 * millisecond, 5 * second])
    calls = (0..<count).map { CallPlan(random, id: $0, startsWithin: span) }
    for _ in 0..<(random.chance(70) ? random.below(4) : 0) {
      disturbances.append((random.within(0...2 * span), Scenario.disturbance(random)))
    }
  }

  private static func route(_ random: SeededRandom) -> Route {
    let base = random.pick([0, 50 * microsecond, 20 * millisecond])
    return Route(
      latency: base...(base + random.pick([0, 10 * microsecond, 30 * millisecond])),
      nanosecondsPerByte: random.pick([0, 0, 10, 1_000]), capacity: random.pick([2_000, 65_536, 1_000_000]),
      pieceBytes: random.pick([1_500, 16_384, 65_536]))
  }

  private static func disturbance(_ random: SeededRandom) -> Disturbance {
    switch random.below(10) {
    case 0, 1: .cut
    case 2: .halfClose(fromServer: random.chance(50))
    case 3: .stall(nanoseconds: random.within(0...3 * second))
    case 4, 5: .drain
    case 6: .close
    case 7, 8: .refuse
    default: .ping
    }
  }
}

/// One call of a scenario: what the client does, and what it asks the server to do.
struct CallPlan: Sendable {
  /// What the server does once it has what it waits for.
  enum Answer: Sendable {
    case reply
    case fail
    /// Fails behind the first request that it has read, or the first reply.
    case breakOff
    /// Sleeps until it is cancelled.
    case hang
    /// Takes its time first.
    case late(nanoseconds: UInt64)
  }

  let id: Int
  let kind: CallKind
  let startNanoseconds: UInt64
  var requests = 1
  var replies = 1
  let requestBytes: Int
  let replyBytes: Int
  let answer: Answer
  /// From the begin of the call.
  var deadlineNanoseconds: UInt64?
  /// When the caller's task is cancelled.
  var cancelNanoseconds: UInt64?
  /// Time that the client takes for each reply.
  let readPauseNanoseconds: UInt64
  /// Whether the caller forgets the call after the first reply.
  let dropsCall: Bool

  /// Whether there is something that the server can break off.
  var isBrokenOff: Bool {
    guard case .breakOff = answer else { return false }
    return kind.clientStreams ? requests > 0 : replies > 0
  }

  init(_ random: SeededRandom, id: Int, startsWithin span: UInt64) {
    self.id = id
    kind = random.pick([.unary, .unary, .clientStreaming, .serverStreaming, .bidirectional])
    startNanoseconds = random.within(0...span)
    if kind.clientStreams { requests = random.below(6) }
    if kind.serverStreams { replies = kind == .bidirectional ? requests : random.below(6) }
    let sizes = [0, 10, 3_000, 3_000, 70_000]
    requestBytes = random.pick(sizes)
    replyBytes = random.pick(sizes)
    switch random.below(20) {
    case 0, 1: answer = .fail
    case 2: answer = .hang
    case 6, 7: answer = .breakOff
    case 3, 4, 5: answer = .late(nanoseconds: random.within(0...2 * second))
    default: answer = .reply
    }
    readPauseNanoseconds = random.chance(15) ? random.within(0...second) : 0
    dropsCall = kind.serverStreams && random.chance(8)
    if random.chance(25) { deadlineNanoseconds = random.pick([1, millisecond, 50 * millisecond, 3 * second]) }
    if random.chance(15) { cancelNanoseconds = random.within(0...random.pick([millisecond, 2 * second])) }
    // Somebody must end it.
    if case .hang = answer, deadlineNanoseconds == nil, cancelNanoseconds == nil { deadlineNanoseconds = second }
  }
}
