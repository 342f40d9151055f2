import Core
import Logging
import RPCCore
import RPCInProcess
import Testing

@testable import RPCTransport

@Suite("Connections that end of their own accord", .timeLimit(.minutes(10)))
struct DrainTests {
  /// A server whose connections live so; the body gets a channel to it, on the channel's loop.
  private func withServer(
    _ limits: ConnectionLimits = .server, client: ConnectionLimits = .client,
    _ body: @escaping @Sendable (Server, ClientChannel, Probe) async throws -> Void
  ) async throws {
    let probe = Probe(loops: try EventLoopGroup(count: 1))
    defer { probe.loops.stop() }
    let loop = try EventLoop()
    defer { loop.stop() }
    let identities = try TestIdentities()
    let server = try await Server(
      .init(host: "127.0.0.1", port: 0, tls: identities.server(), connectionLimits: limits),
      acceptor: GRPCAcceptor(router: probe.router, logger: Logger(label: "test")), group: probe.loops)
    var configuration = ConnectionPool.Configuration()
    configuration.connectionLimits = client
    configuration.maximumBackoff = .milliseconds(5)
    let pool = ConnectionPool(
      [ConnectionTarget(host: "127.0.0.1", port: server.port)], loop: loop,
      context: try TLSContext(identities.client(), role: .client), configuration: configuration)
    let channel = ClientChannel(pool, loop: loop)
    try await loop.run { try await body(server, channel, probe) }
    await server.shutdown(grace: .zero)
  }

  @Test("Connections that reach their age lose no call, without a repeat")
  func age() async throws {
    var limits = ConnectionLimits.server
    limits.maximumAge = .milliseconds(20)
    try await withServer(limits) { _, channel, probe async throws in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for caller in 0..<8 {
          group.addTask {
            for number in 0..<500 {
              let request = "\(caller)/\(number)"
              // A client pauses when connections end as fast as these do.
              let options = CallOptions(waitForReady: true)
              let reply = try await channel.unary(Probe.once, framed: framed(request), options).message
              #expect(text(reply) == request)
            }
          }
        }
        try await group.waitForAll()
      }
      #expect(probe.executions.total == 4_000)
      #expect(probe.executions.mostOfOne == 1)
    }
  }

  @Test("A call that outlives its connection's grace is cut")
  func grace() async throws {
    var limits = ConnectionLimits.server
    limits.maximumAge = .milliseconds(20)
    limits.ageGrace = .milliseconds(20)
    try await withServer(limits) { _, channel, probe async throws in
      let error = await status { _ = try await channel.unary(Probe.block, framed: framed(""), .init()) }
      #expect(error?.code == .unavailable)
      probe.release.note("")
    }
  }

  @Test(
    "A connection that is not used is ended by either side, and the next call makes another", arguments: [true, false])
  func idle(_ byServer: Bool) async throws {
    var (server, client) = (ConnectionLimits.server, ConnectionLimits.client)
    if byServer { server.idleTime = .milliseconds(20) } else { client.idleTime = .milliseconds(20) }
    try await withServer(server, client: client) { server, channel, _ async throws in
      for _ in 0..<3 {
        _ = try await channel.unary(Probe.echo, framed: framed("once"), CallOptions(waitForReady: true))
        while server.connectionCount > 0 { await Task.yield() }
      }
    }
  }

  @Test("Pings that are answered keep a connection with a quiet call alive")
  func keepalive() async throws {
    var limits = ConnectionLimits.server
    limits.keepaliveTime = .milliseconds(5)
    var client = ConnectionLimits.client
    client.keepaliveTime = .milliseconds(5)
    limits.minimumPingInterval = .zero
    try await withServer(limits, client: client) { server, channel, probe async throws in
      async let answer = channel.unary(Probe.block, framed: framed(""), .init())
      #expect(await probe.notes.next() == "started")
      try await probe.loops.first.run { try await probe.loops.first.sleep(for: .milliseconds(200)) }
      probe.release.note("")
      let reply = try await answer.message
      #expect(text(reply) == "released")
      #expect(server.connectionCount == 1)
    }
  }

  @Test("A client that pings too often is told so and cut")
  func tooManyPings() async throws {
    var client = ConnectionLimits.client
    client.keepaliveTime = .milliseconds(1)
    try await withServer(client: client) { _, channel, probe async throws in
      let error = await status { _ = try await channel.unary(Probe.block, framed: framed(""), .init()) }
      #expect(error?.code == .unavailable)
      probe.release.note("")
    }
  }

  @Test("Streams that cross the announcement of the end are answered, and those after it are refused")
  func twoSteps() throws {
    let pipe = try #require(HTTP2Pipe())
    let server = CountingEnd()
    pipe.server.delegate = server
    while pipe.pump() == .carried {}
    let block = HeaderBlock([(":method", "POST"), (":scheme", "https"), (":path", "/"), (":authority", "test")])
    pipe.server.drain()
    // The client does not know yet.
    let crossing = RecordingHandler()
    _ = try #require(pipe.client.open(block, handler: crossing))
    while pipe.pump() == .carried {}
    #expect(server.opened == 1)
    #expect(crossing.closedWith == nil)
    #expect(pipe.server.isClosing)
    #expect(server.hasRefused)
    #expect(pipe.client.open(block, handler: RecordingHandler()) == nil)
    server.streams.first?.respond(HeaderBlock([(":status", "200")]), endStream: true)
    while pipe.pump() == .carried {}
    #expect(crossing.closedWith == 0)
  }

  @Test("A stream is reset once, whatever asks for it")
  func oneReset() throws {
    let pipe = try #require(HTTP2Pipe())
    let server = CountingEnd()
    pipe.server.delegate = server
    let handler = RecordingHandler()
    let block = HeaderBlock([(":method", "POST"), (":scheme", "https"), (":path", "/"), (":authority", "test")])
    let stream = try #require(pipe.client.open(block, handler: handler))
    while pipe.pump() == .carried {}
    stream.reset(8)
    pipe.server.refuseStreams()
    stream.reset(8)
    var buffer = [UInt8](repeating: 0, count: 32_768)
    let count = buffer.withUnsafeMutableBytes { pipe.client.nextOutput($0) }
    #expect(count == 13)
    let rest = buffer.withUnsafeMutableBytes { pipe.client.nextOutput($0) }
    #expect(rest == 0)
  }
}

/// A server's end that takes every stream and answers none by itself.
private final class CountingEnd: HTTP2ConnectionDelegate {
  var streams: [HTTP2Stream] = []
  var hasRefused = false
  var opened: Int { streams.count }

  func connectionNeedsFlush() {}
  func connectionOpened(_ stream: HTTP2Stream) -> (any HTTP2StreamHandler)? {
    streams.append(stream)
    return RecordingHandler()
  }
  func connectionReceivedGoAway() {}
  func connectionClosedStream() {}
  func connectionRefusedStreams() { hasRefused = true }
}
