import API
import Core
import Logging
import RPCCore
import RPCInProcess
import Testing

@testable import RPCTransport

/// What gRPC asks of a server, seen by a client that says exactly what a test wants.
@Suite("gRPC's contract, a server's side", .timeLimit(.minutes(10)))
struct ServerContractTests {
  private func values(_ name: StaticString, _ block: HeaderBlock?) -> [String] {
    var values: [String] = []
    block?.forEach { field, value in
      if field.equals(name) { values.append(String(decoding: value, as: UTF8.self)) }
    }
    return values
  }

  @Test("Binary metadata comes padded, unpadded and several to a header; repeated keys keep their order")
  func metadata() async throws {
    try await withRawCaller { caller async throws in
      let sent = [
        ("x-padded-bin", "q6s="), ("x-bare-bin", "q6s"), ("x-many-bin", "AQ,AgI=, AwMD"), ("x-twice", "2"),
        ("x-bad-bin", "!!"), ("x-twice", "1"), ("x-empty-bin", ""),
      ]
      let answer = try await caller.call(Probe.mirror, sent, framedMessage(""))
      for block in [answer.headers, answer.trailers] {
        #expect(values("x-padded-bin", block) == ["q6s"])
        #expect(values("x-bare-bin", block) == ["q6s"])
        #expect(values("x-many-bin", block) == ["AQ", "AgI", "AwMD"])
        #expect(values("x-twice", block) == ["2", "1"])
        #expect(values("x-bad-bin", block) == [])
        #expect(values("x-empty-bin", block) == [""])
      }
    }
  }

  @Test("grpc-timeout is read in all its units, and what is none is INTERNAL")
  func timeouts() async throws {
    try await withRawCaller { caller async throws in
      for timeout in ["1H", "60M", "3600S", "3600000m", "99999999m", "99999999S"] {
        let answer = try await caller.call(Probe.remaining, [("grpc-timeout", timeout)], framedMessage(""))
        let left = Int(text(Array(answer.data.dropFirst(framePrefixLength)))) ?? 0
        #expect((3_000_000...99_999_999_000).contains(left), "\(timeout)")
      }
      for timeout in ["1n", "999u", "1m"] {
        let answer = try await caller.call(Probe.hang, [("grpc-timeout", timeout)], ends: false)
        #expect(answer.code == "4", "\(timeout)")
      }
      for timeout in ["", "5", "S", "1s", "123456789S", "-1S", "1.5S", "1 S", "+1S", "0x1S"] {
        let answer = try await caller.call(Probe.echo, [("grpc-timeout", timeout)], framedMessage(""))
        #expect(answer.code == "13", "\(timeout)")
      }
    }
  }

  @Test("An error before the first reply is one block of headers, and behind a reply it is trailers")
  func trailersOnly() async throws {
    try await withRawCaller { caller async throws in
      let only = try await caller.call(Probe.fail, [], framedMessage("unicode"))
      #expect(only.trailers?.first(":status") == "200")
      #expect(only.trailers?.first("content-type") == "application/grpc")
      #expect(only.code == "5")
      #expect(only.trailers?.first("grpc-message") == "100%25 %09 weg: %E2%98%BA %F0%9F%98%88%0A%2541")
      #expect(only.data.isEmpty)
      let behind = try await caller.call(Probe.mirror, [], framedMessage(""))
      #expect(behind.headers?.first("grpc-status") == nil)
      #expect(behind.trailers?.first(":status") == nil)
      #expect(behind.code == "0")
    }
  }

  @Test("A server that has answered ends the stream with NO_ERROR, whatever the client still has to say")
  func early() async throws {
    try await withRawCaller { caller async throws in
      let (handler, stream) = try caller.open(
        Probe.fail, [], framedMessage("violations") + framedMessage("2"), ends: false)
      stream.write([UInt8](repeating: 0, count: 200_000))
      await caller.pump { handler.closedWith != nil }
      #expect(handler.code == "13")
      #expect(handler.closedWith == 0)
      #expect(caller.pipe.server.activeStreams == 0)
    }
  }

  @Test("Content types that are gRPC's are served, others get 415, other methods than POST get 405")
  func contentTypes() async throws {
    try await withRawCaller { caller async throws in
      for type in ["application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8"] {
        #expect(try await caller.call(Probe.echo, [("content-type", type)], framedMessage("")).code == "0", "\(type)")
      }
      for type in ["", "application/grpc-web", "application/grpcx", "application/json", "text/html"] {
        let answer = try await caller.call(Probe.echo, [("content-type", type)], framedMessage(""))
        #expect(answer.headers?.first(":status") == "415", "\(type)")
      }
      let (unended, stream) = try caller.open(Probe.echo, [("content-type", "text/plain")], ends: false)
      stream.write([UInt8](repeating: 0, count: HTTPRefusal.maximumBytes + 1))
      await caller.pump { unended.closedWith != nil }
      #expect(unended.headers?.first(":status") == "415")
      for method in ["GET", "PUT", "OPTIONS"] {
        let answer = try await caller.call(Probe.echo, [(":method", method)])
        #expect(answer.headers?.first(":status") == "405", "\(method)")
      }
    }
  }

  @Test("Metadata that the client does not take costs the call and not its status", arguments: Wire.allCases)
  func burden(_ wire: Wire) async throws {
    var limits = HTTP2Limits()
    limits.headerListBytes = 2_000
    try await withBench(wire, limits: limits) { bench async throws in
      for place in ["initial", "trailing", "error"] {
        let error = await status { _ = try await bench.call(Probe.burden, "\(place) 2000") }
        #expect(error?.code == .resourceExhausted, "\(place)")
        #expect(error?.message.contains("metadata") == true)
        let small = await status { _ = try await bench.call(Probe.burden, "\(place) 500") }
        #expect(small?.code == (place == "error" ? .aborted : nil))
      }
    }
  }

  @Test("A message that is no protobuf is the caller's fault in a request, and the server's in a reply")
  func undecodable() async throws {
    let loops = try EventLoopGroup(count: 1)
    defer { loops.stop() }
    let methods = TestingTestServiceMethods.self
    let router = Router([
      .unary(methods.emptyCall) { (_: TestingEmpty, _) async throws in TestingEmpty() },
      MethodBinding(methods.unaryCall) { call in try call.sendOnly(framed: framed([0xFF])) },
    ])
    let endpoint = InProcessEndpoint(
      GRPCAcceptor(router: router, logger: Logger(label: "test")), loop: loops.first)
    try await withTaskExecutorPreference(loops.first) { @concurrent () async throws in
      let channel = endpoint.channel()
      let request = await status { _ = try await channel.unary(methods.emptyCall, framed: framed([0xFF]), .init()) }
      #expect(request?.code == .invalidArgument)
      let client = TestingTestServiceClient(channel: channel)
      #expect(await status { _ = try await client.unaryCall(TestingSimpleRequest()) }?.code == .internal)
      endpoint.stop()
    }
  }

  @Test("A typed writer of many replies waits for a client that does not read")
  func typedWriter() async throws {
    let loops = try EventLoopGroup(count: 1)
    defer { loops.stop() }
    let written = Atomic(0)
    let binding = MethodBinding.serverStreaming(TestingTestServiceMethods.streamingOutputCall) {
      (_: TestingStreamingOutputCallRequest, writer: ResponseWriter<TestingStreamingOutputCallResponse>, _) async throws
      in
      let payload = TestingPayload(body: [UInt8](repeating: 1, count: 50_000))
      for _ in 0..<1_000 {
        try await writer.write(TestingStreamingOutputCallResponse(payload: payload))
        written.add(1)
      }
    }
    let endpoint = InProcessEndpoint(
      GRPCAcceptor(router: Router([binding, echo]), logger: Logger(label: "test")), loop: loops.first)
    try await withTaskExecutorPreference(loops.first) { @concurrent () async throws in
      let client = TestingTestServiceClient(channel: endpoint.channel())
      let replies = try await client.streamingOutputCall(TestingStreamingOutputCallRequest())
      for _ in 0..<200 { _ = try await client.emptyCall(TestingEmpty()) }
      let limits = HTTP2Limits()
      let most = Int(limits.streamWindowBytes) + HTTP2Stream.highWaterBytes + CallLimits().unreadBytes
      #expect(written.value <= most / 50_000 + 2)
      var count = 0
      while try await replies.next() != nil { count += 1 }
      #expect(count == 1_000)
      endpoint.stop()
    }
  }

  private var echo: MethodBinding {
    .unary(TestingTestServiceMethods.emptyCall) { (_: TestingEmpty, _) async throws in TestingEmpty() }
  }
}

/// A call that a handler makes on behalf of its caller.
@Suite("Calls made on behalf of calls", .timeLimit(.minutes(10)))
struct OnwardCallTests {
  private static let onward = Probe.method("Onward", .bidirectional)

  /// A probe behind a server whose only method calls it: "remaining" after it has spent 20 ms, else "hang".
  private func withChain(
    _ body: nonisolated(nonsending) @Sendable (ClientChannel, Probe) async throws -> Void
  ) async throws {
    let loops = try EventLoopGroup(count: 1)
    defer { loops.stop() }
    let (loop, logger, probe) = (loops.first, Logger(label: "test"), Probe(loops: loops))
    let behind = InProcessEndpoint(GRPCAcceptor(router: probe.router, logger: logger), loop: loop)
    let channel = behind.channel()
    let onward = MethodBinding(OnwardCallTests.onward) { call async throws in
      let isHanging = text(try await call.receive()) == "hang"
      if !isHanging { try await loop.sleep(for: .milliseconds(20)) }
      let inner = try await channel.open(isHanging ? Probe.hang : Probe.remaining, call.context.outgoingOptions)
      try await inner.send(framed: framed(""))
      inner.finishSending()
      while let reply = try await inner.receive() { try await call.send(framed: framed(reply)) }
    }
    let front = InProcessEndpoint(GRPCAcceptor(router: Router([onward]), logger: logger), loop: loop)
    try await withTaskExecutorPreference(loop) { @concurrent () async throws in
      try await body(front.channel(), probe)
      front.stop()
      behind.stop()
    }
  }

  @Test("The deadline goes along, less the time that was spent")
  func deadline() async throws {
    try await withChain { channel, _ async throws in
      let call = try await channel.open(OnwardCallTests.onward, CallOptions(timeout: .seconds(100)))
      try await call.send(framed: framed("remaining"))
      call.finishSending()
      let left = Int(text(try await call.receive())) ?? 0
      #expect((1...99_980).contains(left))
    }
  }

  @Test("Cancelling a call cancels the calls that its handler makes")
  func cancellation() async throws {
    try await withChain { channel, probe async throws in
      let call = try await channel.open(OnwardCallTests.onward, .init())
      try await call.send(framed: framed("hang"))
      #expect(await probe.notes.next() == "started")
      call.cancel()
      #expect(await probe.notes.next() == "cancelled")
    }
  }
}
