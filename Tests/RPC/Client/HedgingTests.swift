import Core
import Logging
import MainstayTesting
import RPCCore
import RPCTransport
import Synchronization
import Testing

/// Two servers whose answers a test holds back or spoils.
private struct Pair: Sendable {
  final class Side: Sendable {
    let seen = Notes()
    let release = Notes()
    let error: RPCError?

    init(_ error: RPCError?) { self.error = error }
  }

  static let reading = MethodDescriptor(
    service: "test.Pair", name: "Reading", kind: .unary, idempotency: .noSideEffects)
  static let writing = MethodDescriptor(service: "test.Pair", name: "Writing", kind: .unary, idempotency: .idempotent)

  let loops: EventLoopGroup
  let sides: [Side]
  let servers: [Server]
  private let pool: ConnectionPool

  init(_ errors: [RPCError?] = [nil, nil]) async throws {
    let identities = try TestIdentities()
    let loops = try EventLoopGroup(count: 1)
    let sides = errors.map { Side($0) }
    var servers: [Server] = []
    for (number, side) in sides.enumerated() {
      let bindings = [Pair.reading, Pair.writing].map { method in
        MethodBinding(method) { call async throws in
          _ = try call.receiveOnly()
          side.seen.note(call.context.metadata.first("grpc-previous-rpc-attempts") ?? "none")
          await withTaskCancellationHandler {
            _ = await side.release.next()
          } onCancel: {
            side.seen.note("cancelled")
            side.release.note("")
          }
          if let error = side.error { throw error }
          try await call.send(framed: framed("\(number)"))
        }
      }
      servers.append(
        try await Server(
          .init(host: "127.0.0.1", port: 0, tls: identities.server()),
          acceptor: GRPCAcceptor(
            router: Router(bindings), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }), group: loops))
    }
    var configuration = ConnectionPool.Configuration()
    configuration.policy = .roundRobin
    let targets = servers.map { ConnectionTarget(host: "127.0.0.1", port: $0.port) }
    let context = try TLSContext(identities.client(), role: .client)
    let settled = configuration
    pool = try await loops.first.run {
      let pool = ConnectionPool(targets, loop: loops.first, context: context, configuration: settled)
      _ = try await pool.connect(waitForReady: true).activeStreams
      return pool
    }
    (self.loops, self.sides, self.servers) = (loops, sides, servers)
    let (first, second) = (servers[0], servers[1])
    #expect(await eventually { first.connectionCount == 1 && second.connectionCount == 1 })
  }

  /// The answer to a call, or its code.
  func call(_ method: MethodDescriptor = Pair.reading, _ change: @Sendable (inout HedgingPolicy) -> Void = { _ in })
    async throws -> String
  {
    var policy = RetryPolicy()
    var hedging = HedgingPolicy(delay: .milliseconds(20))
    change(&hedging)
    policy.hedging = hedging
    let settled = policy
    return try await loops.first.run {
      let channel = ClientChannel(pool, loop: loops.first, retrying: settled)
      do {
        return text(
          try await channel.unary(method, framed: framed("word"), CallOptions(timeout: .seconds(1_000))).message)
      } catch { return "\(RPCError(converting: error).code)" }
    }
  }

  func stop() async {
    for side in sides { side.release.note("") }
    for server in servers { await server.shutdown(grace: .zero) }
    loops.stop()
  }
}

@Suite(.timeLimit(.minutes(5))) struct HedgingTests {
  /// The numbers of the servers in the order in which they saw the call.
  private func order(_ pair: Pair) async -> (first: Int, second: Int) {
    await withTaskGroup(of: (Int, String).self) { group in
      for number in 0...1 { group.addTask { (number, await pair.sides[number].seen.next()) } }
      var seen: [Int: String] = [:]
      for await (number, attempts) in group { seen[number] = attempts }
      #expect(seen.values.sorted() == ["1", "none"])
      return seen[0] == "none" ? (0, 1) : (1, 0)
    }
  }

  @Test(arguments: [true, false])
  func `The first answer is the call's, and the other attempt is cancelled`(firstWins: Bool) async throws {
    let pair = try await Pair()
    async let answer = pair.call()
    let (first, second) = await order(pair)
    let (winner, loser) = firstWins ? (first, second) : (second, first)
    pair.sides[winner].release.note("")
    #expect(try await answer == "\(winner)")
    #expect(await pair.sides[loser].seen.next() == "cancelled")
    await pair.stop()
  }

  @Test func `A call that changes something goes to one server only`() async throws {
    let pair = try await Pair()
    for side in pair.sides { side.release.note("") }
    // The next attempt would begin before any answer can come.
    let number = try #require(Int(try await pair.call(Pair.writing) { $0.delay = .zero }))
    pair.sides[1 - number].seen.note("nothing")
    #expect(await pair.sides[1 - number].seen.next() == "nothing")
    await pair.stop()
  }

  @Test func `A status that may be the replica's fault waits for the other attempt, one that is an answer does not`()
    async throws
  {
    for (code, expected) in [(StatusCode.unavailable, "1"), (.notFound, "NOT_FOUND")] {
      let pair = try await Pair([RPCError(code, "no"), nil])
      async let answer = pair.call()
      _ = await order(pair)
      pair.sides[0].release.note("")
      if code == .unavailable { pair.sides[1].release.note("") }
      #expect(try await answer == expected)
      await pair.stop()
    }
  }

  @Test func `When all attempts have failed the call has`() async throws {
    let pair = try await Pair([RPCError(.unavailable, "no"), RPCError(.unavailable, "no")])
    async let answer = pair.call()
    _ = await order(pair)
    for side in pair.sides { side.release.note("") }
    #expect(try await answer == "UNAVAILABLE")
    await pair.stop()
  }

  @Test func `There are no more further attempts than their share of the calls, and none while calls fail`() {
    var policy = RetryPolicy()
    policy.hedging = HedgingPolicy(delay: .zero)
    let budget = RetryBudget(policy)
    // Ten are saved up at the begin; after that one for ten calls.
    #expect((0..<12).map { _ in budget.takeHedge() }.count { $0 } == 10)
    for _ in 0..<21 { budget.beganHedged() }
    #expect((0..<4).map { _ in budget.takeHedge() }.count { $0 } == 2)
    for _ in 0..<1_000 { budget.beganHedged() }
    for _ in 0..<50 { budget.hedgeFailed() }
    #expect(!budget.takeHedge())
  }
}
