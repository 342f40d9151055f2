import Core
import Testing

@testable import RPCTransport

@Suite("The states of a subchannel")
struct SubchannelMachineTests {
  private enum Event: CaseIterable {
    case connect, connected, failed, lost, closed, shutDown
  }

  /// A time at which any back-off is over.
  private static let later: UInt64 = 1_000_000_000_000

  private func machine(in state: ConnectivityState) -> SubchannelMachine {
    var machine = SubchannelMachine()
    switch state {
    case .idle: break
    case .connecting: _ = machine.connect(at: 0)
    case .ready:
      _ = machine.connect(at: 0)
      machine.connected(at: 0)
    case .transientFailure:
      _ = machine.connect(at: 0)
      machine.failed("refused", at: 0, SeededRandom(1))
    case .shutdown: machine.shutDown()
    }
    return machine
  }

  private func apply(_ event: Event, to machine: inout SubchannelMachine, at now: UInt64) {
    let random = SeededRandom(2)
    switch event {
    case .connect: _ = machine.connect(at: now)
    case .connected: machine.connected(at: now)
    case .failed: machine.failed("refused", at: now, random)
    case .lost: machine.lost("reset", at: now, random)
    case .closed: machine.closed()
    case .shutDown: machine.shutDown()
    }
  }

  @Test("Each event leads from each state to the one that the table names")
  func table() {
    // connect, connected, failed, lost, closed, shutDown
    let table: [ConnectivityState: [ConnectivityState]] = [
      .idle: [.connecting, .idle, .idle, .idle, .idle, .shutdown],
      .connecting: [.connecting, .ready, .transientFailure, .connecting, .idle, .shutdown],
      .ready: [.ready, .ready, .ready, .idle, .idle, .shutdown],
      .transientFailure: [
        .connecting, .transientFailure, .transientFailure, .transientFailure, .idle, .shutdown,
      ],
      .shutdown: [.shutdown, .shutdown, .shutdown, .shutdown, .shutdown, .shutdown],
    ]
    for state in ConnectivityState.allCases {
      for (event, expected) in zip(Event.allCases, table[state] ?? []) {
        var machine = machine(in: state)
        #expect(machine.state == state)
        apply(event, to: &machine, at: Self.later)
        #expect(machine.state == expected, "\(state.rawValue) \(event)")
      }
    }
  }

  @Test("No attempt begins before the back-off is over, and one may from then on without anybody's waking")
  func backoff() {
    var machine = machine(in: .transientFailure)
    let retry = machine.retryNanoseconds
    #expect((80_000_000...120_000_000).contains(retry))
    #expect(machine.lastError == "refused")
    let tooSoon = machine.connect(at: retry - 1)
    #expect(!tooSoon)
    let due = machine.connect(at: retry)
    #expect(due)
  }

  @Test("The back-off counts from the attempt's begin, grows to its maximum, and begins anew after a connection")
  func growth() {
    var machine = SubchannelMachine(maximumBackoff: .milliseconds(500))
    let random = SeededRandom(3)
    var now: UInt64 = 0
    var pauses: [UInt64] = []
    for _ in 0..<20 {
      #expect(machine.mayConnect(at: now))
      _ = machine.connect(at: now)
      // Time that the attempt itself takes is part of the back-off.
      machine.failed("refused", at: now + 70_000_000, random)
      pauses.append(machine.retryNanoseconds - now)
      now = machine.retryNanoseconds
    }
    #expect(pauses[0] <= 120_000_000)
    #expect(pauses.suffix(10).allSatisfy { (400_000_000...600_000_000).contains($0) })
    _ = machine.connect(at: now)
    machine.connected(at: now)
    machine.lost("reset", at: now + 2_000_000_000, random)
    _ = machine.connect(at: now + 2_000_000_000)
    machine.failed("refused", at: now + 2_000_000_000, random)
    #expect(machine.retryNanoseconds - now - 2_000_000_000 <= 120_000_000)
  }

  @Test("A lost connection is made again at once; one that is lost at once again and again waits")
  func flapping() {
    var machine = machine(in: .ready)
    let random = SeededRandom(4)
    machine.lost("reset", at: 1, random)
    #expect(machine.state == .idle)
    _ = machine.connect(at: 2)
    machine.connected(at: 3)
    machine.lost("reset", at: 4, random)
    #expect(machine.state == .transientFailure)
    #expect(!machine.mayConnect(at: 5))
    let retry = machine.retryNanoseconds
    _ = machine.connect(at: retry)
    machine.connected(at: retry)
    // It stood for long, so the next loss is the first one again.
    machine.lost("reset", at: retry + SubchannelMachine.briefLifeNanoseconds, random)
    #expect(machine.state == .idle)
  }

  @Test("Whatever happens, a machine that is not shut down can be connected in the end", arguments: 0..<50)
  func neverStuck(_ seed: UInt64) {
    let random = SeededRandom(seed)
    var machine = SubchannelMachine()
    var now: UInt64 = 0
    for _ in 0..<300 {
      now += UInt64(random.below(400_000_000))
      apply(Event.allCases[random.below(Event.allCases.count - 1)], to: &machine, at: now)
    }
    if machine.state == .connecting { machine.failed("no answer", at: now, random) }
    if machine.state == .ready { machine.lost("reset", at: now, random) }
    now += 6_000_000_000
    let begins = machine.connect(at: now)
    #expect(begins)
    machine.connected(at: now)
    #expect(machine.state == .ready)
  }
}

@Suite("Sharing calls out among connections")
struct LoadBalancingTests {
  private func picks(_ policy: LoadBalancing, _ loads: [Int?], _ count: Int) -> [Int?] {
    var picker = Picker(policy)
    return (0..<count).map { _ in picker.pick(of: loads.count) { loads[$0] } }
  }

  @Test("pick_first takes the first that has room")
  func pickFirst() {
    #expect(picks(.pickFirst, [5, 0, 0], 3) == [0, 0, 0])
    #expect(picks(.pickFirst, [nil, 9, 0], 2) == [1, 1])
  }

  @Test("round_robin takes them in turn and passes over those without room")
  func roundRobin() {
    #expect(picks(.roundRobin, [9, 0, 3], 6) == [0, 1, 2, 0, 1, 2])
    #expect(picks(.roundRobin, [9, nil, 3], 4) == [0, 2, 0, 2])
  }

  @Test("least_request takes the one with the fewest calls, and equals in turn")
  func leastRequest() {
    #expect(picks(.leastRequest, [4, 2, 3], 3) == [1, 1, 1])
    #expect(picks(.leastRequest, [1, 1, 1], 6) == [0, 1, 2, 0, 1, 2])
    #expect(picks(.leastRequest, [0, 0, 5], 4) == [0, 1, 0, 1])
    #expect(picks(.leastRequest, [nil, 7, 8], 1) == [1])
  }

  @Test("Nobody is picked when nobody has room", arguments: LoadBalancing.allCases)
  func nobody(_ policy: LoadBalancing) {
    #expect(picks(policy, [nil, nil], 1) == [nil])
    #expect(picks(policy, [], 1) == [nil])
  }
}
