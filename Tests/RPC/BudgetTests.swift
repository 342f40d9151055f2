import Core
import Logging
import MainstayTesting
import RPCCore
import RPCInProcess
import Testing

@testable import RPCTransport

/// What a server holds for peers that do not read, or do not finish what they begin, against a raw client in memory.
@Suite("Bytes that a connection and a process hold", .timeLimit(.minutes(10)))
struct BudgetTests {
  /// Opens a call on a raw client.
  private func open(
    _ method: MethodDescriptor, _ pipe: HTTP2Pipe, _ bytes: [UInt8], isWhole: Bool = true
  ) throws -> ReadingHandler {
    let headers = HeaderBlock([
      (":method", "POST"), (":scheme", "https"), (":path", method.path), (":authority", "test"),
      ("content-type", "application/grpc"), ("te", "trailers"),
    ])
    let handler = ReadingHandler()
    let stream = try #require(pipe.client.open(headers, handler: handler))
    handler.stream = stream
    stream.write(bytes)
    if isWhole { stream.finish() }
    return handler
  }

  private func message(_ count: Int) -> [UInt8] {
    var bytes = framed([UInt8](repeating: 1, count: count))
    setFramePrefix(&bytes, flag: 0)
    return bytes
  }

  @Test("Many large messages at once come to their end one after the other, and are not held all together")
  func manyLargeMessages() async throws {
    var limits = HTTP2Limits()
    limits.streamWindowBytes = 16_384
    limits.heldBytes = 100_000
    try await withServer(limits) { pipe, _ async throws in
      let calls = try (0..<40).map { _ in try open(Probe.sum, pipe, message(100_000)) }
      var most = 0
      while calls.contains(where: { $0.trailers == nil }) {
        _ = pipe.pump()
        most = max(most, pipe.server.heldBytes)
        try await turn()
      }
      #expect(calls.compactMap(\.status) == [String](repeating: "0", count: 40))
      #expect(most > 100_000)
      #expect(most <= 100_000 + 41 * 16_384 + 100_000)
      #expect(pipe.server.heldBytes == 0)
    }
  }

  @Test("Halves of messages beyond the connection's limit cost the calls that bring them, and no other")
  func halves() async throws {
    var limits = HTTP2Limits()
    limits.heldBytes = 200_000
    limits.mostHeldBytes = 300_000
    try await withServer(limits) { pipe, _ async throws in
      let half = Array(message(200_000).prefix(50_000))
      let calls = try (0..<20).map { _ in try open(Probe.sum, pipe, half, isWhole: false) }
      while calls.filter({ $0.status == "8" }).count < 14 {
        _ = pipe.pump()
        try await turn()
      }
      #expect(pipe.server.heldBytes <= 300_000)
      let small = try open(Probe.echo, pipe, message(10))
      while small.closedWith == nil {
        _ = pipe.pump()
        try await turn()
      }
      // More than the soft limit is held, so no stream is taken; the caller may try again elsewhere.
      #expect(small.closedWith == 7)
      #expect(calls.filter { $0.closedWith == nil }.count == 6)
    }
  }

  @Test("Replies that nobody takes are held up to the limit; after that calls fail")
  func untakenReplies() async throws {
    var client = HTTP2Limits()
    client.streamWindowBytes = 0
    var limits = HTTP2Limits()
    limits.mostHeldBytes = 1_000_000
    try await withServer(limits, client: client) { pipe, _ async throws in
      let calls = try (0..<20).map { _ in try open(Probe.echo, pipe, message(100_000)) }
      while calls.filter({ $0.status == "8" }).count < 11 {
        _ = pipe.pump()
        try await turn()
      }
      #expect(pipe.server.heldBytes <= 1_000_000)
      #expect(pipe.server.heldBytes > 800_000)
    }
  }

  @Test("When the process's budget is used up, large calls fail on every connection and small ones go on")
  func processBudget() async throws {
    let budget = ByteBudget(limitBytes: 500_000)
    try await withServer(budget: budget) { pipe, connect async throws in
      let half = try open(Probe.sum, pipe, Array(message(400_000).prefix(200_000)), isWhole: false)
      while pipe.server.heldBytes < 199_995 {
        _ = pipe.pump()
        try await turn()
      }
      #expect(budget.usedBytes > 100_000)
      // What other connections hold.
      budget.add(400_000)
      let large = try open(Probe.echo, pipe, message(100_000))
      let other = try connect()
      let small = try open(Probe.echo, other, message(100))
      while large.status == nil || small.status == nil {
        _ = (pipe.pump(), other.pump())
        try await turn()
      }
      other.cut("test")
      #expect(large.status == "8")
      #expect(small.status == "0")
      #expect(half.closedWith == nil)
      budget.add(-400_000)
    }
    #expect(budget.usedBytes == 0)
  }

  @Test("A stream whose data nobody takes and one that stops within a message are reset; those that go on stay")
  func stalls() async throws {
    var client = HTTP2Limits()
    client.streamWindowBytes = 1_000
    try await withServer(client: client) { pipe, _ async throws in
      let untaken = try open(Probe.echo, pipe, message(5_000))
      untaken.reads = false
      let half = try open(Probe.sum, pipe, [0, 0, 0, 0, 9, 1], isWhole: false)
      let quiet = try open(Probe.chat, pipe, message(9), isWhole: false)
      let busy = try open(Probe.fill, pipe, message(0) + Array("".utf8), isWhole: false)
      for _ in 0..<6 {
        for _ in 0..<20 {
          _ = pipe.pump()
          try await turn()
        }
        busy.stream?.write([0])
        pipe.server.resetStalledStreams(after: 4)
      }
      while pipe.pump() == .carried {}
      #expect(untaken.closedWith == 8)
      #expect(half.closedWith == 8)
      #expect(quiet.closedWith == nil)
      #expect(quiet.data.count == 14)
    }
  }

  @Test("One greedy stream leaves the others their turn")
  func fairness() async throws {
    try await withServer { pipe, _ async throws in
      let greedy = try open(Probe.fill, pipe, message(Array("2000 50000".utf8)))
      greedy.keeps = false
      while greedy.received < 1_000_000 {
        _ = pipe.pump()
        try await turn()
      }
      for _ in 0..<20 {
        let small = try open(Probe.echo, pipe, message(100))
        var turns = 0
        while small.status == nil {
          _ = pipe.pump()
          turns += 1
          try await turn()
        }
        #expect(turns < 20)
      }
      #expect(greedy.status == nil)
    }
  }

  @Test("A server and a pool keep to the budget that they are given, and to no other")
  func ownBudget() async throws {
    let group = try EventLoopGroup(count: 1)
    defer { group.stop() }
    let identities = try TestIdentities()
    let acceptor = GRPCAcceptor(router: Probe(loops: group).router, logger: Logger(label: "test"))
    let context = try TLSContext(identities.client(), role: .client)
    func call(_ server: ByteBudget, _ client: ByteBudget, bytes: Int) async throws -> RPCError? {
      var configuration = Server.Configuration(host: "127.0.0.1", port: 0, tls: try identities.server())
      configuration.budget = server
      let server = try await Server(configuration, acceptor: acceptor, group: group)
      var connections = ConnectionPool.Configuration()
      connections.budget = client
      let error = try await group.first.run { [connections] in
        let pool = ConnectionPool(
          [ConnectionTarget(host: "127.0.0.1", port: server.port)], loop: group.first, context: context,
          configuration: connections)
        defer { pool.close() }
        let request = message([UInt8](repeating: 1, count: bytes))
        return await status {
          _ = try await ClientChannel(pool, loop: group.first).unary(Probe.echo, framed: request, .init())
        }
      }
      await server.shutdown(grace: .zero)
      return error
    }
    let (none, some) = (ByteBudget(limitBytes: 0), ByteBudget(limitBytes: 10_000_000))
    #expect(try await call(some, some, bytes: 200_000) == nil)
    #expect(try await call(none, none, bytes: 1_000) == nil)
    #expect(try await call(none, some, bytes: 200_000)?.code == .resourceExhausted)
    #expect(try await call(some, none, bytes: 200_000)?.code == .resourceExhausted)
    #expect(some.usedBytes == 0)
  }

  private func message(_ content: [UInt8]) -> [UInt8] {
    var bytes = framed(content)
    setFramePrefix(&bytes, flag: 0)
    return bytes
  }

  /// Lets the handlers run; ends a test that waits for what does not come.
  private func turn() async throws {
    try Task.checkCancellation()
    await Task.yield()
  }

  /// A raw client and a server with the probe, pumped by hand on one loop; the body may connect more clients.
  private func withServer(
    _ limits: HTTP2Limits = .init(), client: HTTP2Limits = .init(), budget: ByteBudget = .process,
    _ body: nonisolated(nonsending) @escaping @Sendable (HTTP2Pipe, () throws -> HTTP2Pipe) async throws -> Void
  ) async throws {
    let loops = try EventLoopGroup(count: 1)
    defer { loops.stop() }
    let probe = Probe(loops: loops)
    try await loops.first.run {
      var delegates: [AcceptingEnd] = []
      let acceptor = GRPCAcceptor(router: probe.router, logger: Logger(label: "test"))
      let connect: () throws -> HTTP2Pipe = {
        let pipe = try #require(HTTP2Pipe(clientLimits: client, serverLimits: limits, serverBudget: budget))
        delegates.append(AcceptingEnd(acceptor, loop: loops.first))
        pipe.server.delegate = delegates.last
        return pipe
      }
      let pipe = try connect()
      try await body(pipe, connect)
      pipe.cut("test")
    }
  }
}

/// Keeps what a stream received and gives credit for it, if it shall.
private final class ReadingHandler: HTTP2StreamHandler {
  weak var stream: HTTP2Stream?
  var reads = true
  var keeps = true
  var received = 0
  var headers: HeaderBlock?
  var trailers: HeaderBlock?
  var data: [UInt8] = []
  var closedWith: UInt32?
  var status: String? { trailers?.first("grpc-status") }

  func received(headers: HeaderBlock, endStream: Bool) {
    self.headers = headers
    if endStream { trailers = headers }
  }
  func received(data: UnsafeRawBufferPointer) {
    received += data.count
    if keeps { self.data += data }
    if reads { stream?.consume(data.count) }
  }
  func receivedEnd(trailers: HeaderBlock?) { self.trailers = trailers ?? self.trailers }
  func becameWritable() {}
  func closed(errorCode: UInt32) { closedWith = errorCode }
}
