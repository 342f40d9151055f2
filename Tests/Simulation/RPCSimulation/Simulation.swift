import Glibc
import Logging
import RPCCore
import RPCTransport

/// Runs scenarios: real HTTP/2 and real gRPC on a real event loop, joined by a network that a seed decides, in virtual time.
///
/// Nothing waits: when all tasks have done what they can, the clock moves to whatever comes next. So an hour passes in
/// milliseconds, and the same seed gives the same run. (Swift's dictionaries are in an order of their own in each process, unless
/// SWIFT_DETERMINISTIC_HASHING is set.)
public enum Simulation {
  /// What one seed came to.
  public struct Report: Sendable {
    /// Drawn from.
    public let seed: UInt64
    /// Calls that were made.
    public let calls: Int
    /// How many ended with which status.
    public let outcomes: [StatusCode: Int]
    /// What must not happen and did; empty if all is well.
    public internal(set) var faults: [String]
  }

  /// How long a loop's thread may take to end, in steps of a tenth of a millisecond: it only has to get its turn.
  private static let stepsUntilGone = 100_000

  /// Runs the scenario of a seed to its end, with a fault that is planted if one is given, and waits until its event loop has given back what it had of the system.
  public static func run(seed: UInt64, calls: Int = 10, sabotage: Sabotage? = nil) async throws -> Report {
    weak var ended: EventLoop?
    var report = try await run(seed, calls, sabotage) { ended = $0 }
    // What hangs keeps its loop.
    guard report.faults.isEmpty else { return report }
    var steps = 0
    while ended != nil, steps < stepsUntilGone {
      usleep(100)
      steps += 1
    }
    if ended != nil { report.faults.append("the event loop is left, and its descriptors with it") }
    return report
  }

  private static func run(
    _ seed: UInt64, _ calls: Int, _ sabotage: Sabotage?, _ watch: (EventLoop) -> Void
  ) async throws -> Report {
    let clock = VirtualClock()
    let random = SeededRandom(seed)
    let loop = try EventLoop(clock: clock, random: random)
    watch(loop)
    defer { loop.stop() }
    return try await loop.run {
      var scenario = Scenario(random, calls: calls)
      scenario.sabotage = sabotage
      let world = SimulatedWorld(scenario, random, clock, loop)
      let faults = await world.run()
      return Report(seed: seed, calls: calls, outcomes: world.caller.outcomes, faults: faults)
    }
  }
}

/// One running scenario. A timer of the loop drives it: it comes last in each turn, when the turn's tasks have run.
///
/// Unchecked Sendable: confined to the loop.
final class SimulatedWorld: @unchecked Sendable {
  /// Turns at one moment of virtual time, beyond which something goes in a circle.
  private static let turnsAtOneMoment = 50_000
  /// All calls must have ended by then.
  private static let longest: UInt64 = 3_600 * second

  private let scenario: Scenario
  private let clock: VirtualClock
  private let loop: EventLoop
  private let service: SimulatedService
  private let network: SimulatedNetwork
  let caller: SimulatedCaller
  private let start: UInt64
  private var turns = 0
  private var isEnding = false
  private var continuation: UnsafeContinuation<[String], Never>?

  init(_ scenario: Scenario, _ random: SeededRandom, _ clock: VirtualClock, _ loop: EventLoop) {
    self.scenario = scenario
    self.clock = clock
    self.loop = loop
    start = clock.monotonicNanoseconds()
    service = SimulatedService(scenario.calls, loop: loop)
    var logger = Logger(label: "simulation") { _ in SwiftLogNoOpLogHandler() }
    logger.logLevel = .critical
    let acceptor = GRPCAcceptor(router: service.router, logger: logger)
    network = SimulatedNetwork(scenario, random, clock, acceptor: acceptor, loop: loop)
    caller = SimulatedCaller(scenario, network, loop: loop, service: service)
  }

  /// Runs to the end and gives what was wrong.
  func run() async -> [String] {
    for plan in scenario.calls { caller.begin(plan) }
    comeBack()
    return await withUnsafeContinuation { continuation = $0 }
  }

  /// In the next turn, when the tasks have run.
  private func comeBack() {
    _ = CallTimer(loop, afterNanoseconds: 0) { self.turn() }
  }

  private func turn() {
    let now = clock.monotonicNanoseconds()
    turns += 1
    guard turns <= SimulatedWorld.turnsAtOneMoment else { return end(["endless loop at \(now - start) ns"]) }
    if !loop.isSettled || network.step(now) {
      clock.advance(to: now)
      return comeBack()
    }
    if caller.open.isEmpty, !isEnding {
      isEnding = true
      network.end()
      clock.advance(to: now)
      return comeBack()
    }
    if isEnding, network.connections.isEmpty, service.running == 0, loop.nextTimerNanoseconds != nil {
      return end(["timers are left that nobody waits for"])
    }
    guard let next = [network.nextEvent, loop.nextTimerNanoseconds].compactMap({ $0 }).min() else { return end([]) }
    guard next < start + SimulatedWorld.longest else { return end(["still busy after an hour"]) }
    turns = 0
    clock.advance(to: next)
    comeBack()
  }

  /// Nothing can happen any more.
  private func end(_ faults: [String]) {
    var faults = faults + service.faults + caller.faults
    if !caller.open.isEmpty { faults.append("calls hang: \(caller.open.sorted())") }
    for (id, count) in service.begun.enumerated() where count > 1 {
      faults.append("call \(id) was answered \(count) times")
    }
    if service.running != 0 { faults.append("\(service.running) handlers still run") }
    if !network.connections.isEmpty {
      let states = network.connections.map { connection in
        "client \(connection.client.http2.activeStreams) streams\(connection.client.isClosed ? ", closed" : ""), "
          + "server \(connection.server.http2.activeStreams)\(connection.server.isClosed ? ", closed" : "")"
      }
      faults.append("connections are left: \(states)")
    }
    if network.livingStreams > 0 { faults.append("\(network.livingStreams) streams are left") }
    if network.livingEnds > 0 { faults.append("\(network.livingEnds) ends of connections are left") }
    continuation?.resume(returning: faults)
    continuation = nil
  }
}
