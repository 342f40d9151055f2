import Core
import Glibc
import Logging
import RPCCore
import RPCTransport
import Testing

@Suite("Connections: making, losing and ending them", .timeLimit(.minutes(10)))
struct ConnectionTests {
  private func start(_ probe: Probe, _ identities: TestIdentities, port: Int = 0) async throws -> Server {
    try await Server(
      .init(host: "127.0.0.1", port: port, tls: identities.server()),
      acceptor: GRPCAcceptor(router: probe.router, logger: Logger(label: "test")), group: probe.loops)
  }

  /// A port that nobody listens on.
  private func freePort(_ probe: Probe, _ identities: TestIdentities) async throws -> Int {
    let server = try await start(probe, identities)
    await server.shutdown(grace: .zero)
    return server.port
  }

  @Test("A port in use is a clear error")
  func portInUse() async throws {
    let probe = Probe(loops: try EventLoopGroup(count: 1))
    defer { probe.loops.stop() }
    let identities = try TestIdentities()
    let server = try await start(probe, identities)
    await #expect(throws: TransportError.portInUse(host: "127.0.0.1", port: server.port)) {
      _ = try await start(probe, identities, port: server.port)
    }
    await server.shutdown(grace: .zero)
  }

  @Test("A call to a closed port fails at once, and the one that waits is answered when the server comes")
  func serverComesLater() async throws {
    let probe = Probe(loops: try EventLoopGroup(count: 1))
    defer { probe.loops.stop() }
    let loop = try EventLoop()
    defer { loop.stop() }
    let identities = try TestIdentities()
    let port = try await freePort(probe, identities)
    let context = try TLSContext(identities.client(), role: .client)
    let channel = ClientChannel(host: "127.0.0.1", port: port, tls: context, loop: loop)
    for _ in 0..<2 {
      let error = await status {
        _ = try await loop.run { try await channel.unary(Probe.echo, framed: framed("now"), .init()) }
      }
      #expect(error?.code == .unavailable)
      #expect(error?.message.contains("cannot connect to 127.0.0.1:\(port): Connection refused") == true)
    }
    let late = await status {
      _ = try await loop.run {
        var options = CallOptions(timeout: .milliseconds(50))
        options.waitForReady = true
        return try await channel.unary(Probe.echo, framed: framed("never"), options)
      }
    }
    #expect(late?.code == .deadlineExceeded)
    async let waiting = loop.run {
      text(try await channel.unary(Probe.echo, framed: framed("later"), CallOptions(waitForReady: true)).message)
    }
    let server = try await start(probe, identities, port: port)
    #expect(try await waiting == "later")
    await server.shutdown(grace: .zero)
  }

  @Test("A task that waits for a connection can be cancelled")
  func cancelWaiting() async throws {
    let probe = Probe(loops: try EventLoopGroup(count: 1))
    defer { probe.loops.stop() }
    let identities = try TestIdentities()
    let port = try await freePort(probe, identities)
    let context = try TLSContext(identities.client(), role: .client)
    let loop = probe.loops.first
    let channel = ClientChannel(host: "127.0.0.1", port: port, tls: context, loop: loop)
    for timeout in [nil, Duration.seconds(3_600)] {
      let task = loop.spawn {
        var options = timeout.map { CallOptions(timeout: $0) } ?? CallOptions()
        options.waitForReady = true
        probe.notes.note("waiting")
        let error = await status { _ = try await channel.unary(Probe.echo, framed: framed(""), options) }
        probe.notes.note("\(error?.code ?? .ok)")
      }
      #expect(await probe.notes.next() == "waiting")
      task.cancel()
      #expect(await probe.notes.next() == "CANCELLED")
    }
  }

  @Test("A host that does not exist is UNAVAILABLE with its name")
  func noSuchHost() async throws {
    let loop = try EventLoop()
    defer { loop.stop() }
    let identities = try TestIdentities()
    let context = try TLSContext(identities.client(), role: .client)
    let channel = ClientChannel(host: "no-such-host.invalid", port: 1, tls: context, loop: loop)
    let error = await status {
      _ = try await loop.run { try await channel.unary(Probe.echo, framed: framed(""), .init()) }
    }
    #expect(error?.code == .unavailable)
    #expect(error?.message == "cannot connect to no-such-host.invalid:1: no such host")
  }

  @Test("A client finds the address of several that answers")
  func severalAddresses() async throws {
    // "localhost" is ::1 and 127.0.0.1 on most machines, and the server listens on the latter only.
    let probe = Probe(loops: try EventLoopGroup(count: 1))
    defer { probe.loops.stop() }
    let identities = try TestIdentities()
    let server = try await start(probe, identities)
    let context = try TLSContext(identities.client(), role: .client)
    let loop = probe.loops.first
    let channel = ClientChannel(host: "localhost", port: server.port, tls: context, loop: loop)
    #expect(
      try await loop.run { text(try await channel.unary(Probe.echo, framed: framed("found"), .init()).message) }
        == "found")
    await server.shutdown(grace: .zero)
  }

  @Test("At a shutdown running calls end and new ones are refused", arguments: Wire.allCases)
  func gracefulShutdown(_ wire: Wire) async throws {
    try await withBench(wire) { bench async throws in
      let channel = bench.channel
      async let answers = withThrowingTaskGroup(of: String.self) { group in
        for _ in 0..<50 { group.addTask { try await bench.call(Probe.block, "") } }
        return try await group.reduce(into: [String]()) { $0.append($1) }
      }
      for _ in 0..<50 { #expect(await bench.probe.notes.next() == "started") }
      async let stopped: Void = bench.shutdown()
      var error: RPCError?
      while error == nil { error = await status { _ = try await bench.call(Probe.echo, "too late?") } }
      #expect(error?.code == .unavailable)
      for _ in 0..<50 { bench.probe.release.note("") }
      #expect(try await answers == [String](repeating: "released", count: 50))
      await stopped
      _ = channel
    }
  }

  @Test("While a server is replaced, each call that is repeated when UNAVAILABLE is done exactly once")
  func replacement() async throws {
    let probe = Probe(loops: try EventLoopGroup(count: 1))
    defer { probe.loops.stop() }
    let loop = try EventLoop()
    defer { loop.stop() }
    let identities = try TestIdentities()
    let first = try await start(probe, identities)
    let port = first.port
    let context = try TLSContext(identities.client(), role: .client)
    let channel = ClientChannel(host: "127.0.0.1", port: port, tls: context, loop: loop)
    async let calls: Void = loop.run {
      try await withThrowingTaskGroup(of: Void.self) { group in
        for caller in 0..<20 {
          group.addTask {
            for number in 0..<200 { try await repeatUntilDone(channel, "\(caller)/\(number)") }
          }
        }
        try await group.waitForAll()
      }
    }
    while probe.executions.total < 500 { await Task.yield() }
    await first.shutdown(grace: .seconds(30))
    let second = try await start(probe, identities, port: port)
    try await calls
    #expect(probe.executions.total == 4_000)
    #expect(probe.executions.mostOfOne == 1)
    await second.shutdown(grace: .zero)
  }
}

private func repeatUntilDone(_ channel: ClientChannel, _ request: String) async throws {
  var reply: Result<String, RPCError>
  repeat {
    reply = await answer(channel, request)
    if case .failure(let error) = reply { guard error.code == .unavailable else { throw error } }
  } while (try? reply.get()) == nil
  #expect(try reply.get() == request)
}

private func answer(_ channel: ClientChannel, _ request: String) async -> Result<String, RPCError> {
  do throws(RPCError) {
    let options = CallOptions(waitForReady: true)
    return .success(text(try await channel.unary(Probe.once, framed: framed(request), options).message))
  } catch {
    return .failure(error)
  }
}
