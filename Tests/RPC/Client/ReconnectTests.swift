import Core
import Glibc
import Logging
import MainstayTesting
import RPCCore
import Testing

@testable import RPCTransport

/// A client whose server comes and goes on one port.
private struct Restarts: Sendable {
  let identities: TestIdentities
  let loop: EventLoop
  let pool: ConnectionPool
  let channel: ClientChannel
  let port: Int

  init(policy: LoadBalancing = .pickFirst) throws {
    identities = try TestIdentities()
    loop = try EventLoop()
    port = try freePort()
    var configuration = ConnectionPool.Configuration()
    configuration.policy = policy
    configuration.maximumBackoff = .milliseconds(300)
    configuration.connectTimeout = .milliseconds(500)
    pool = ConnectionPool(
      [ConnectionTarget(host: "127.0.0.1", port: port)], loop: loop,
      context: try TLSContext(identities.client(), role: .client), configuration: configuration)
    channel = ClientChannel(pool, loop: loop)
  }

  func call() async -> RPCError? {
    await status {
      _ = try await loop.run {
        try await channel.unary(Probe.echo, framed: framed("?"), CallOptions(timeout: .seconds(20)))
      }
    }
  }

  /// A server in threads of its own; what it returns cuts all its connections as the end of a process does.
  func server() async throws -> @Sendable () async -> Void {
    let loops = try EventLoopGroup(count: 1)
    let acceptor = GRPCAcceptor(router: Probe(loops: loops).router, logger: Logger(label: "test"))
    var made: Server?
    // Somebody else on the machine may have the port for a moment.
    let isListening = try await eventually {
      do throws(TransportError) {
        made = try await start(acceptor, loops)
      } catch .portInUse {
      }
      return made != nil
    }
    #expect(isListening)
    let server = try #require(made)
    return {
      await server.abruptEnd()
      loops.stop()
    }
  }

  private func start(_ acceptor: GRPCAcceptor, _ loops: EventLoopGroup) async throws(TransportError) -> Server? {
    do {
      return try await Server(
        .init(host: "127.0.0.1", port: port, tls: identities.server()), acceptor: acceptor, group: loops)
    } catch let error as TransportError {
      throw error
    } catch {
      return nil
    }
  }

  /// The server is back, so calls must succeed before long: until the back-off is over they may fail.
  func expectRecovery(_ comment: Comment) async throws {
    #expect(try await eventually { await call() == nil }, comment)
  }
}

extension Server {
  /// As a kill -9 looks from outside: the port is closed and all connections are cut.
  fileprivate func abruptEnd() async { await shutdown(grace: .zero) }
}

/// A socket that listens: what it does with connections is up to the kernel, or to nobody.
private final class DeafListener: Sendable {
  private let descriptor: Int32

  init(port: Int) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var one: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
    let address = try #require(SocketAddress.resolve(host: "127.0.0.1", port: port, literal: true).first)
    #expect(address.withPointer { bind(descriptor, $0, $1) } == 0)
    #expect(listen(descriptor, 16) == 0)
  }

  func stop() { close(descriptor) }
}

@Suite("Connections come back", .timeLimit(.minutes(10)))
struct ReconnectTests {
  @Test("After each of many restarts on the same port calls succeed again", arguments: LoadBalancing.allCases)
  func restarts(_ policy: LoadBalancing) async throws {
    let restarts = try Restarts(policy: policy)
    defer { restarts.loop.stop() }
    for round in 0..<12 {
      let stop = try await restarts.server()
      try await restarts.expectRecovery("round \(round)")
      await stop()
      // Down for some calls: each tells why.
      var refused = 0
      while refused < round % 4 * 3 {
        let error = await restarts.call()
        #expect(error?.code == .unavailable, "\(error as Any)")
        refused += 1
      }
    }
  }

  @Test("After a server was down for many back-offs calls succeed again", arguments: LoadBalancing.allCases)
  func longAbsence(_ policy: LoadBalancing) async throws {
    let restarts = try Restarts(policy: policy)
    defer { restarts.loop.stop() }
    for _ in 0..<2 {
      let stop = try await restarts.server()
      try await restarts.expectRecovery("back")
      await stop()
      // Attempts one after the other, until the back-off has reached its maximum and beyond.
      let waiting = restarts.loop.spawn {
        let options = CallOptions(timeout: .milliseconds(1_500))
        var patient = options
        patient.waitForReady = true
        let error = await status {
          _ = try await restarts.channel.unary(Probe.echo, framed: framed("?"), patient)
        }
        #expect(error?.code == .deadlineExceeded)
      }
      await waiting.value
      let error = await restarts.call()
      #expect(error?.code == .unavailable)
    }
    let stop = try await restarts.server()
    try await restarts.expectRecovery("at last")
    await stop()
  }

  @Test("A server that takes the connection and never answers TLS is given up, and found again when it answers")
  func deafServer() async throws {
    let restarts = try Restarts()
    defer { restarts.loop.stop() }
    for _ in 0..<3 {
      let deaf = try DeafListener(port: restarts.port)
      let error = await restarts.call()
      #expect(error?.code == .unavailable)
      #expect(
        error?.message.contains("no TLS connection within") == true || error?.message.contains("GOAWAY") == true
          || error?.message.contains("closed by the peer") == true, "\(error as Any)")
      deaf.stop()
      let stop = try await restarts.server()
      try await restarts.expectRecovery("it answers")
      await stop()
    }
  }

  @Test("A call that waits for readiness is answered however long the server was away")
  func waitForReady() async throws {
    let restarts = try Restarts()
    defer { restarts.loop.stop() }
    #expect(await restarts.call()?.code == .unavailable)
    async let waiting = restarts.loop.run {
      text(
        try await restarts.channel.unary(Probe.echo, framed: framed("later"), CallOptions(waitForReady: true)).message)
    }
    // It goes through failed attempts first: a deaf server's among them.
    let deaf = try DeafListener(port: restarts.port)
    #expect(await restarts.call()?.code == .unavailable)
    deaf.stop()
    let stop = try await restarts.server()
    #expect(try await waiting == "later")
    await stop()
  }

  @Test("A GOAWAY while the connection is being made fails the attempt and does not leave it unfinished")
  func goAwayWhileConnecting() async throws {
    let restarts = try Restarts()
    defer { restarts.loop.stop() }
    let deaf = try DeafListener(port: restarts.port)
    defer { deaf.stop() }
    let context = try TLSContext(restarts.identities.client(), role: .client)
    let states = try await restarts.loop.run {
      let subchannel = Subchannel(
        target: ConnectionTarget(host: "127.0.0.1", port: restarts.port),
        address: try #require(SocketAddress.resolve(host: "127.0.0.1", port: restarts.port, literal: true).first),
        isExtra: false, loop: restarts.loop, certificates: context, configuration: .init())
      subchannel.connect()
      let before = subchannel.machine.state
      let connection = try #require(subchannel.connection)
      subchannel.connectionReceivedGoAway(connection)
      // Its readiness comes too late.
      subchannel.connectionIsReady(connection)
      defer { connection.close("the test is over") }
      return [before, subchannel.machine.state]
    }
    #expect(states == [.connecting, .transientFailure])
  }

  @Test("A pool that is dropped ends its connection")
  func dropped() async throws {
    let identities = try TestIdentities()
    let loops = try EventLoopGroup(count: 1)
    defer { loops.stop() }
    let server = try await Server(
      .init(host: "127.0.0.1", port: 0, tls: identities.server()),
      acceptor: GRPCAcceptor(router: Probe(loops: loops).router, logger: Logger(label: "test")), group: loops)
    let loop = loops.first
    let context = try TLSContext(identities.client(), role: .client)
    let answer = try await loop.run {
      let channel = ClientChannel(host: "127.0.0.1", port: server.port, tls: context, loop: loop)
      return text(try await channel.unary(Probe.echo, framed: framed("here"), .init()).message)
    }
    #expect(answer == "here")
    #expect(await eventually { server.connectionCount == 0 })
    await server.shutdown(grace: .zero)
  }
}
