import Core
import Logging
import MainstayTesting
import RPCCore
import Synchronization
import Testing

@testable import RPCTransport

/// Answers for a name what a test has it answer, as a name server would: the system's resolver cannot be told.
private final class Names: Sendable {
  private let ports = Mutex<[Int]>([])

  func set(_ ports: [Int]) { self.ports.withLock { $0 = ports } }

  var resolve: @Sendable (String, Int, @escaping @Sendable ([SocketAddress]) -> Void) -> Void {
    { [self] _, _, reply in
      reply(ports.withLock { $0 }.flatMap { SocketAddress.resolve(host: "127.0.0.1", port: $0, literal: true) })
    }
  }
}

/// Servers that say which of them answered, behind one name.
private struct NamedFleet: Sendable {
  static let method = Probe.method("Name", .unary)

  let identities: TestIdentities
  let loops: EventLoopGroup
  let servers: [Server]
  let names = Names()

  init(_ count: Int) async throws {
    identities = try TestIdentities()
    loops = try EventLoopGroup(count: 1)
    var servers: [Server] = []
    for number in 0..<count {
      let binding = MethodBinding(NamedFleet.method) { call async throws in
        _ = try call.receiveOnly()
        try await call.send(framed: framed("\(number)"))
      }
      servers.append(
        try await Server(
          .init(host: "127.0.0.1", port: 0, tls: identities.server()),
          acceptor: GRPCAcceptor(router: Router([binding]), logger: Logger(label: "test")), group: loops))
    }
    self.servers = servers
  }

  func pool(age: Duration?, serverName: String?) throws -> ConnectionPool {
    var configuration = ConnectionPool.Configuration()
    configuration.policy = .roundRobin
    configuration.resolve = names.resolve
    configuration.resolutionInterval = .milliseconds(5)
    configuration.resolutionAge = age
    configuration.maximumBackoff = .milliseconds(100)
    return ConnectionPool(
      [ConnectionTarget(host: "replicas.test", port: 1, serverName: serverName)], loop: loops.first,
      context: try TLSContext(identities.client(), role: .client), configuration: configuration)
  }

  /// Who answers so many calls.
  func answers(_ pool: ConnectionPool, _ count: Int = 6) async throws -> Set<String> {
    try await loops.first.run {
      let channel = ClientChannel(pool, loop: loops.first)
      var answers: Set<String> = []
      for _ in 0..<count {
        answers.insert(
          text(try await channel.unary(NamedFleet.method, framed: framed(""), CallOptions(waitForReady: true)).message))
      }
      return answers
    }
  }

  func stop() async {
    for server in servers { await server.shutdown(grace: .zero) }
    loops.stop()
  }
}

@Suite(.timeLimit(.minutes(5))) struct NamedReplicasTests {
  @Test func `Each address of a name is a replica, and a changed answer changes them`() async throws {
    let fleet = try await NamedFleet(3)
    let pool = try fleet.pool(age: .milliseconds(20), serverName: "localhost")
    fleet.names.set([fleet.servers[0].port, fleet.servers[1].port])
    #expect(try await eventually { try await fleet.answers(pool) == ["0", "1"] })
    fleet.names.set([fleet.servers[1].port, fleet.servers[2].port])
    #expect(try await eventually { try await fleet.answers(pool) == ["1", "2"] })
    #expect(await eventually { fleet.servers[0].connectionCount == 0 })
    // A name server that is down takes nothing away.
    fleet.names.set([])
    for _ in 0..<20 { #expect(try await fleet.answers(pool, 50) == ["1", "2"]) }
    await fleet.stop()
  }

  @Test func `A name is looked up again when a connection is lost, though its addresses are young`() async throws {
    let fleet = try await NamedFleet(3)
    let pool = try fleet.pool(age: .seconds(3_600), serverName: "localhost")
    fleet.names.set([fleet.servers[0].port, fleet.servers[1].port])
    #expect(try await eventually { try await fleet.answers(pool) == ["0", "1"] })
    fleet.names.set([fleet.servers[1].port, fleet.servers[2].port])
    await fleet.servers[0].shutdown(grace: .zero)
    #expect(try await eventually { try await fleet.answers(pool) == ["1", "2"] })
    await fleet.stop()
  }

  @Test func `A certificate must be for the name, wherever that leads`() async throws {
    let fleet = try await NamedFleet(1)
    fleet.names.set([fleet.servers[0].port])
    let pool = try fleet.pool(age: nil, serverName: nil)
    let error = await status {
      _ = try await fleet.loops.first.run { try await pool.connect(waitForReady: false).activeStreams }
    }
    #expect(error?.code == .unavailable)
    #expect(error?.message.contains("replicas.test") == true, "\(String(describing: error))")
    await fleet.stop()
  }
}

@Suite(.timeLimit(.minutes(5))) struct HealthFallbackTests {
  /// A server that has Check and no Watch.
  @Test func `Where there is no Watch Check is asked, and its answer counts`() async throws {
    let identities = try TestIdentities()
    let loops = try EventLoopGroup(count: 1)
    let asked = Tally()
    let method = Probe.method("Name", .unary)
    let answer = MethodBinding(method) { call async throws in
      _ = try call.receiveOnly()
      try await call.send(framed: framed(""))
    }
    let check = MethodDescriptor(service: "grpc.health.v1.Health", name: "Check", kind: .unary)
    func server(_ reply: [UInt8]) async throws -> Server {
      let health = MethodBinding(check) { call async throws in
        _ = try call.receiveOnly()
        asked.add("\(reply)")
        try await call.send(framed: [0, 0, 0, 0, 0] + reply)
      }
      return try await Server(
        .init(host: "127.0.0.1", port: 0, tls: identities.server()),
        acceptor: GRPCAcceptor(router: Router([answer, health]), logger: Logger(label: "test")), group: loops)
    }
    let (well, ill) = (try await server([8, 1]), try await server([8, 2]))
    let context = try TLSContext(identities.client(), role: .client)
    try await loops.first.run {
      var configuration = ConnectionPool.Configuration()
      configuration.healthService = ""
      func pool(_ server: Server) -> ConnectionPool {
        ConnectionPool(
          [ConnectionTarget(host: "127.0.0.1", port: server.port)], loop: loops.first, context: context,
          configuration: configuration)
      }
      let channel = ClientChannel(pool(well), loop: loops.first, retrying: nil)
      _ = try await channel.unary(method, framed: framed(""), CallOptions(waitForReady: true)).message
      let refused = await status {
        _ = try await ClientChannel(pool(ill), loop: loops.first, retrying: nil)
          .unary(method, framed: framed(""), CallOptions()).message
      }
      #expect(refused?.code == .unavailable)
      #expect(refused?.message.contains("says that it does not serve") == true)
    }
    #expect(asked.total == 2)
    for server in [well, ill] { await server.shutdown(grace: .zero) }
    loops.stop()
  }

  /// A method that says who answers, and health of which Check can hang.
  private func hangable(_ number: Int, _ hangs: Atomic, _ loop: EventLoop) -> [MethodBinding] {
    let watch = MethodDescriptor(service: "grpc.health.v1.Health", name: "Watch", kind: .serverStreaming)
    let check = MethodDescriptor(service: "grpc.health.v1.Health", name: "Check", kind: .unary)
    return [
      MethodBinding(Probe.method("Name", .unary)) { call async throws in
        _ = try call.receiveOnly()
        try await call.send(framed: framed("\(number)"))
      },
      MethodBinding(watch) { call async throws in
        _ = try call.receiveOnly()
        try await call.send(framed: [0, 0, 0, 0, 0, 8, 1])
        try await loop.sleep(for: .seconds(3_600))
      },
      MethodBinding(check) { call async throws in
        _ = try call.receiveOnly()
        while hangs.value > 0 { try await loop.sleep(for: .milliseconds(10)) }
        try await call.send(framed: [0, 0, 0, 0, 0, 8, 1])
      },
    ]
  }

  /// Servers that go on with a Watch when they hang, as a process that is stopped does.
  @Test func `A server that does not answer Checks gets calls only while no other one can`() async throws {
    let identities = try TestIdentities()
    let loops = try EventLoopGroup(count: 1)
    let loop = loops.first
    let name = Probe.method("Name", .unary)
    let hanging = [Atomic(0), Atomic(0)]
    var servers: [Server] = []
    for (number, hangs) in hanging.enumerated() {
      servers.append(
        try await Server(
          .init(host: "127.0.0.1", port: 0, tls: identities.server()),
          acceptor: GRPCAcceptor(router: Router(hangable(number, hangs, loop)), logger: Logger(label: "test")),
          group: loops))
    }
    let targets = servers.map { ConnectionTarget(host: "127.0.0.1", port: $0.port) }
    let context = try TLSContext(identities.client(), role: .client)
    let pool = try await loop.run {
      var configuration = ConnectionPool.Configuration()
      configuration.policy = .roundRobin
      configuration.healthService = ""
      return ConnectionPool(targets, loop: loop, context: context, configuration: configuration)
    }
    func answers() async throws -> Set<String> {
      try await loop.run {
        let channel = ClientChannel(pool, loop: loop)
        var answers: Set<String> = []
        for _ in 0..<6 {
          answers.insert(
            text(try await channel.unary(name, framed: framed(""), CallOptions(waitForReady: true)).message))
        }
        return answers
      }
    }
    #expect(try await eventually { try await answers() == ["0", "1"] })
    hanging[0].add(1)
    #expect(try await eventually { try await answers() == ["1"] })
    hanging[1].add(1)
    #expect(try await eventually { try await answers() == ["0", "1"] })
    for hangs in hanging { hangs.add(-1) }
    let facts = { try await loop.run { pool.facts.subchannels.map(\.isServing) } }
    #expect(try await eventually { try await facts() == [true, true] })
    for server in servers { await server.shutdown(grace: .zero) }
    loops.stop()
  }
}
