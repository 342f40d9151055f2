import Core
import Logging
import MainstayTesting
import RPCCore
import Testing

@testable import RPCTransport

/// Servers that say which of them answered.
private struct Fleet: Sendable {
  let identities: TestIdentities
  let loops: EventLoopGroup
  let servers: [Server]
  let notes: [Notes]
  let releases: [Notes]

  init(_ count: Int, limits: HTTP2Limits = .init()) async throws {
    identities = try TestIdentities()
    loops = try EventLoopGroup(count: 1)
    var servers: [Server] = []
    var notes: [Notes] = []
    var releases: [Notes] = []
    for number in 0..<count {
      let (started, release) = (Notes(), Notes())
      let name = MethodBinding(Fleet.name) { call async throws in
        _ = try call.receiveOnly()
        try await call.send(framed: framed("\(number)"))
      }
      let hold = MethodBinding(Fleet.hold) { call async throws in
        started.note("\(number)")
        _ = await release.next()
        try await call.send(framed: framed("\(number)"))
      }
      servers.append(
        try await Server(
          .init(host: "127.0.0.1", port: 0, tls: identities.server(), limits: limits),
          acceptor: GRPCAcceptor(router: Router([name, hold]), logger: Logger(label: "test")), group: loops))
      notes.append(started)
      releases.append(release)
    }
    self.servers = servers
    self.notes = notes
    self.releases = releases
  }

  static let name = Probe.method("Name", .unary)
  static let hold = Probe.method("Hold", .unary)

  func pool(
    _ policy: LoadBalancing, limits: HTTP2Limits = .init(), before: [ConnectionTarget] = [],
    extraIdleTime: Duration = .seconds(60)
  ) throws -> ConnectionPool {
    var configuration = ConnectionPool.Configuration()
    configuration.extraIdleTime = extraIdleTime
    configuration.policy = policy
    configuration.limits = limits
    configuration.maximumBackoff = .milliseconds(300)
    let targets = servers.map { ConnectionTarget(host: "127.0.0.1", port: $0.port) }
    return ConnectionPool(
      before + targets, loop: loops.first, context: try TLSContext(identities.client(), role: .client),
      configuration: configuration)
  }

  func call(_ pool: ConnectionPool, _ method: MethodDescriptor = Fleet.name) async throws -> String {
    try await loops.first.run {
      let channel = ClientChannel(pool, loop: loops.first)
      return text(try await channel.unary(method, framed: framed(""), CallOptions(waitForReady: true)).message)
    }
  }

  func state(_ pool: ConnectionPool) async throws -> ConnectivityState { try await loops.first.run { pool.state } }

  func stop() async {
    for server in servers { await server.shutdown(grace: .zero) }
    loops.stop()
  }
}

@Suite("A pool of connections", .timeLimit(.minutes(10)))
struct ConnectionPoolTests {
  @Test("pick_first stays with the first address that answers, and goes to the next when it is gone")
  func pickFirst() async throws {
    let fleet = try await Fleet(2)
    let nobody = ConnectionTarget(host: "127.0.0.1", port: try freePort())
    let pool = try fleet.pool(.pickFirst, before: [nobody])
    #expect(try await fleet.state(pool) == .idle)
    for _ in 0..<5 { #expect(try await fleet.call(pool) == "0") }
    #expect(try await fleet.state(pool) == .ready)
    await fleet.servers[0].shutdown(grace: .zero)
    #expect(try await fleet.call(pool) == "1")
    await fleet.stop()
  }

  @Test("round_robin calls all servers in turn, and all but the one that is gone")
  func roundRobin() async throws {
    let fleet = try await Fleet(3)
    let pool = try fleet.pool(.roundRobin)
    #expect(
      try await eventually {
        Set([try await fleet.call(pool), try await fleet.call(pool), try await fleet.call(pool)]).count == 3
      })
    let six = [
      try await fleet.call(pool), try await fleet.call(pool), try await fleet.call(pool), try await fleet.call(pool),
      try await fleet.call(pool), try await fleet.call(pool),
    ]
    #expect(six.sorted() == ["0", "0", "1", "1", "2", "2"])
    await fleet.servers[1].shutdown(grace: .zero)
    for _ in 0..<6 { #expect(try await fleet.call(pool) != "1") }
    await fleet.stop()
  }

  @Test("least_request leaves a busy server alone")
  func leastRequest() async throws {
    let fleet = try await Fleet(2)
    let pool = try fleet.pool(.leastRequest)
    #expect(try await eventually { Set([try await fleet.call(pool), try await fleet.call(pool)]).count == 2 })
    async let held = fleet.call(pool, Fleet.hold)
    async let first = fleet.notes[0].next()
    async let second = fleet.notes[1].next()
    // Whichever of them has it; the other one gets the calls.
    #expect(try await eventually { Set([try await fleet.call(pool), try await fleet.call(pool)]).count == 1 })
    for _ in 0..<5 {
      let answers = [try await fleet.call(pool), try await fleet.call(pool)]
      #expect(Set(answers).count == 1)
    }
    let idle = try await fleet.call(pool)
    fleet.releases[idle == "0" ? 1 : 0].note("")
    #expect(try await held != idle)
    fleet.notes[idle == "0" ? 0 : 1].note("nothing")
    _ = await (first, second)
    await fleet.stop()
  }

  @Test("When the peer's limit of streams is reached further connections are made, up to their limit")
  func scaling() async throws {
    var limits = HTTP2Limits()
    limits.concurrentStreams = 2
    let fleet = try await Fleet(1, limits: limits)
    let pool = try fleet.pool(.pickFirst)
    let most = 2 * ConnectionPool.maximumConnectionsPerAddress
    try await withThrowingTaskGroup(of: String.self) { group in
      for _ in 0..<most { group.addTask { try await fleet.call(pool, Fleet.hold) } }
      for _ in 0..<most { #expect(await fleet.notes[0].next() == "0") }
      #expect(fleet.servers[0].connectionCount == ConnectionPool.maximumConnectionsPerAddress)
      // One more waits for a stream, and makes no more connections.
      group.addTask { try await fleet.call(pool, Fleet.hold) }
      fleet.releases[0].note("")
      #expect(await fleet.notes[0].next() == "0")
      #expect(fleet.servers[0].connectionCount == ConnectionPool.maximumConnectionsPerAddress)
      for _ in 0..<most { fleet.releases[0].note("") }
      for try await answer in group { #expect(answer == "0") }
    }
    await fleet.stop()
  }

  @Test(
    "Further connections are closed when they are not needed any more, though calls go on; one stays, and they come again",
    arguments: [LoadBalancing.pickFirst, .leastRequest])
  func extrasEnd(policy: LoadBalancing) async throws {
    var limits = HTTP2Limits()
    limits.concurrentStreams = 1
    let fleet = try await Fleet(1, limits: limits)
    let pool = try fleet.pool(policy, extraIdleTime: .milliseconds(50))
    for _ in 0..<2 {
      try await withThrowingTaskGroup(of: String.self) { group in
        for _ in 0..<3 { group.addTask { try await fleet.call(pool, Fleet.hold) } }
        for _ in 0..<3 { #expect(await fleet.notes[0].next() == "0") }
        #expect(fleet.servers[0].connectionCount == 3)
        for _ in 0..<3 { fleet.releases[0].note("") }
        for try await answer in group { #expect(answer == "0") }
      }
      let isOneLeft = try await eventually {
        let answer = try await fleet.call(pool)
        #expect(answer == "0")
        return fleet.servers[0].connectionCount == 1
      }
      #expect(isOneLeft)
    }
    #expect(try await fleet.state(pool) == .ready)
    await fleet.stop()
  }

  @Test("After a GOAWAY running calls end on the old connection and new ones go to another server")
  func goAway() async throws {
    let fleet = try await Fleet(2)
    let pool = try fleet.pool(.pickFirst)
    async let held = fleet.call(pool, Fleet.hold)
    #expect(await fleet.notes[0].next() == "0")
    async let drained: Void = fleet.servers[0].shutdown(grace: .seconds(60))
    #expect(try await eventually { try await fleet.call(pool) == "1" })
    fleet.releases[0].note("")
    #expect(try await held == "0")
    await drained
    await fleet.stop()
  }

  @Test("Names and numbers are both found; a name with nobody behind it fails with its own words")
  func names() async throws {
    let fleet = try await Fleet(1)
    let name = ConnectionTarget(host: "localhost", port: fleet.servers[0].port)
    let context = try TLSContext(fleet.identities.client(), role: .client)
    let pool = ConnectionPool([name], loop: fleet.loops.first, context: context)
    #expect(try await fleet.call(pool) == "0")
    let nowhere = ConnectionPool([], loop: fleet.loops.first, context: context)
    let error = await status {
      _ = try await fleet.loops.first.run { try await nowhere.connect(waitForReady: false).activeStreams }
    }
    #expect(error?.message == "no server is configured to connect to")
    await fleet.stop()
  }
}
