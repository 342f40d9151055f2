import API
import Core
import Glibc
import MainstayTesting
import RPCCore
import RPCTransport
import Testing

/// gRPC as others wrote it, on either end of the wire.
@Suite("PyPI grpcio and h2load", .timeLimit(.minutes(10)))
struct ForeignPeerTests {
  static let modules = ["grpc", "grpc_tools"]

  @Test(
    "grpcio's client passes gRPC's interop tests against our server",
    .enabled("PyPI grpcio is not installed") { try await Python.interpreter(with: modules) != nil },
    .enabled(if: Program.exists("mainstay-interop"), "mainstay-interop is not built"))
  func foreignClient() async throws {
    try await withInteropServer(verification: .required) { identities, port async throws in
      let tls = try identities.client()
      let files = [tls.authorityPath, tls.certificateChainPath ?? "", tls.privateKeyPath ?? ""]
      let result = try await Python.run(
        script: "Tests/RPC/grpc_conformance.py", arguments: ["\(port)"] + files, modules: ForeignPeerTests.modules)
      #expect(result?.code == 0, "\(result?.output ?? "") \(result?.errors ?? "")")
    }
  }

  @Test(
    "h2load makes 10,000 calls and none fails",
    .enabled(if: access("/usr/bin/h2load", X_OK) == 0, "h2load is not installed (nghttp2-client)"),
    .enabled(if: Program.exists("mainstay-interop"), "mainstay-interop is not built"))
  func load() async throws {
    try await withInteropServer(verification: .none) { identities, port async throws in
      // A SimpleRequest that asks for 200 bytes.
      let body = try identities.ours.folder.write("request", "\0\0\0\0\u{3}\u{10}\u{48}\u{1}")
      let result = try await Program.run(
        "/usr/bin/h2load",
        [
          "-n", "10000", "-c", "16", "-m", "16", "-d", body, "-H", "content-type: application/grpc", "-H",
          "te: trailers",
          "https://127.0.0.1:\(port)/grpc.testing.TestService/UnaryCall",
        ])
      #expect(result.output.contains("10000 succeeded, 0 failed, 0 errored, 0 timeout"), "\(result.output)")
    }
  }

  @Test(
    "Our client makes calls of all kinds to grpcio's server",
    .enabled("PyPI grpcio is not installed") { try await Python.interpreter(with: modules) != nil })
  func foreignServer() async throws {
    let identities = try TestIdentities()
    let tls = try identities.server()
    let interpreter = try #require(try await Python.interpreter(with: ForeignPeerTests.modules))
    let script = "\(Python.repository)/Tests/RPC/grpc_server.py"
    let running = try Program.Running(
      interpreter, [script, tls.authorityPath, tls.certificateChainPath ?? "", tls.privateKeyPath ?? ""])
    defer { running.signal(SIGKILL) }
    #expect(try await eventually { running.output.hasSuffix("\n") })
    let port = try #require(Int(running.output.dropLast()))
    let loop = try EventLoop()
    defer { loop.stop() }
    let context = try TLSContext(identities.client(), role: .client)
    try await withTaskExecutorPreference(loop) { @concurrent () async throws in
      let channel = ClientChannel(host: "127.0.0.1", port: port, tls: context, loop: loop)
      let client = TestingTestServiceClient(channel: channel)
      try await messages(client)
      try await failures(client, loop)
      try await metadata(channel)
      try await compression(channel)
      channel.close()
    }
  }

  private func messages(_ client: TestingTestServiceClient) async throws {
    var request = TestingSimpleRequest(responseSize: 314_159)
    request.payload = TestingPayload(body: [UInt8](repeating: 0, count: 271_828))
    let large = try await client.unaryCall(request)
    #expect(large.payload?.body.count == 314_159)

    let inputs = try await client.streamingInputCall()
    for size in [27_182, 8, 1_828, 45_904] {
      var input = TestingStreamingInputCallRequest()
      input.payload = TestingPayload(body: [UInt8](repeating: 0, count: size))
      try await inputs.write(input)
    }
    inputs.finishSending()
    let sum = try await inputs.next()
    #expect(sum?.aggregatedPayloadSize == 74_922)

    let sizes: [Int32] = [31_415, 9, 2_653, 58_979]
    let outputs = try await client.streamingOutputCall(self.request(sizes))
    var received: [Int32] = []
    while let output = try await outputs.next() { received.append(Int32(output.payload?.body.count ?? 0)) }
    #expect(received == sizes)

    let duplex = try await client.fullDuplexCall()
    for size in sizes {
      try await duplex.write(self.request([size]))
      let reply = try await duplex.next()
      #expect(reply?.payload?.body.count == Int(size))
    }
    duplex.finishSending()
    #expect(try await duplex.next() == nil)

    let volume = try await client.streamingOutputCall(self.request([Int32](repeating: 1_000_000, count: 100)))
    var bytes = 0
    while let output = try await volume.next() { bytes += output.payload?.body.count ?? 0 }
    #expect(bytes == 100_000_000)
  }

  private func failures(_ client: TestingTestServiceClient, _ loop: EventLoop) async throws {
    let message = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"
    let asked = TestingEchoStatus(code: 5, message: message)
    let error = await status { _ = try await client.unaryCall(TestingSimpleRequest(responseStatus: asked)) }
    #expect(error?.code == .notFound)
    #expect(error?.message == message)
    let violations = error?.details.first.map(StatusDetails.violations)
    #expect(violations == [FieldViolation("response_status", "asked for")])

    let unknown = await status { _ = try await client.unimplementedCall(TestingEmpty()) }
    #expect(unknown?.code == .unimplemented)

    let late = await status {
      let options = CallOptions(timeout: .milliseconds(200))
      let outputs = try await client.streamingOutputCall(
        request([1], intervalMicroseconds: 5_000_000), options: options)
      _ = try await outputs.next()
    }
    #expect(late?.code == .deadlineExceeded)

    let tooLarge = await status { _ = try await client.unaryCall(TestingSimpleRequest(responseSize: 5_000_000)) }
    #expect(tooLarge?.code == .resourceExhausted)

    let cancelled = try await client.streamingOutputCall(request([1, 1, 1], intervalMicroseconds: 100_000))
    _ = try await cancelled.next()
    cancelled.call.cancel()
    #expect(await status { _ = try await cancelled.next() }?.code == .cancelled)
    let alive = try await client.unaryCall(TestingSimpleRequest(responseSize: 1))
    #expect(alive.payload?.body.count == 1)
  }

  private func metadata(_ channel: ClientChannel) async throws {
    var metadata = Metadata()
    metadata.add("x-grpc-test-echo-initial", "test_initial")
    metadata.addBinary("x-grpc-test-echo-trailing-bin", [0xAB, 0, 0xFF])
    let call = try await channel.open(TestingTestServiceMethods.unaryCall, CallOptions(metadata: metadata))
    try await call.send(framed: try TestingSimpleRequest().serialized(reservingPrefix: framePrefixLength))
    call.finishSending()
    while try await call.receive() != nil {}
    #expect(call.initialMetadata.first("x-grpc-test-echo-initial") == "test_initial")
    #expect(call.trailingMetadata.values("x-grpc-test-echo-trailing-bin") == [[0xAB, 0, 0xFF]])
  }

  private func compression(_ channel: ClientChannel) async throws {
    for accepts in [true, false] {
      var request = TestingSimpleRequest(responseSize: 314_159, responseCompressed: TestingBoolValue(value: accepts))
      request.payload = TestingPayload(body: [UInt8](repeating: 0, count: 271_828))
      var options = CallOptions(timeout: .seconds(60))
      options.compressesRequests = true
      options.acceptsCompressedReplies = accepts
      let call = try await channel.open(TestingTestServiceMethods.unaryCall, options)
      try await call.send(framed: try request.serialized(reservingPrefix: framePrefixLength))
      call.finishSending()
      let reply = try TestingSimpleResponse(serialized: try await call.receive() ?? [])
      #expect(reply.payload?.body.count == 314_159)
      #expect(call.lastReplyWasCompressed == accepts)
    }
  }

  private func request(_ sizes: [Int32], intervalMicroseconds: Int32 = 0) -> TestingStreamingOutputCallRequest {
    var request = TestingStreamingOutputCallRequest()
    request.responseParameters = sizes.map { TestingResponseParameters(size: $0, intervalUs: intervalMicroseconds) }
    return request
  }

  private func withInteropServer(
    verification: TLSConfiguration.ClientVerification,
    _ body: nonisolated(nonsending) (TestIdentities, Int) async throws -> Void
  ) async throws {
    let identities = try TestIdentities()
    let tls = try identities.server()
    var arguments = ["server", "--cert", tls.certificateChainPath ?? "", "--key", tls.privateKeyPath ?? ""]
    if verification == .required { arguments += ["--ca", tls.authorityPath] }
    let running = try Program.Running("mainstay-interop", arguments)
    defer { running.signal(SIGKILL) }
    #expect(try await eventually { running.output.hasSuffix("\n") })
    let port = try #require(running.output.split(separator: ":").last.flatMap { Int($0.dropLast()) })
    try await body(identities, port)
    running.signal(SIGTERM)
    let result = try await running.result()
    #expect(result.code == 0, "\(result.errors)")
  }
}
