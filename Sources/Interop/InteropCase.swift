import API
import RPCCore
import RPCTransport

/// One of gRPC's interop tests (interop-test-descriptions.md of gRPC), as a client.
struct InteropCase: Sendable {
  /// As gRPC calls it.
  let name: String
  let run: @Sendable (InteropCalls) async throws -> Void

  static let all: [InteropCase] = messageCases + compressionCases + endingCases + metadataCases
  static var names: [String] { all.map(\.name) }

  private static let messageCases = [
    InteropCase(name: "empty_unary") { try await $0.emptyUnary() },
    InteropCase(name: "large_unary") { try await $0.largeUnary() },
    InteropCase(name: "client_streaming") { try await $0.clientStreaming() },
    InteropCase(name: "server_streaming") { try await $0.serverStreaming() },
    InteropCase(name: "ping_pong") { try await $0.pingPong() },
    InteropCase(name: "empty_stream") { try await $0.emptyStream() },
  ]

  private static let compressionCases = [
    InteropCase(name: "client_compressed_unary") { try await $0.clientCompressedUnary() },
    InteropCase(name: "server_compressed_unary") { try await $0.serverCompressedUnary() },
    InteropCase(name: "client_compressed_streaming") { try await $0.clientCompressedStreaming() },
    InteropCase(name: "server_compressed_streaming") { try await $0.serverCompressedStreaming() },
  ]

  private static let endingCases = [
    InteropCase(name: "cancel_after_begin") { try await $0.cancelAfterBegin() },
    InteropCase(name: "cancel_after_first_response") { try await $0.cancelAfterFirstResponse() },
    InteropCase(name: "timeout_on_sleeping_server") { try await $0.timeoutOnSleepingServer() },
    InteropCase(name: "status_code_and_message") { try await $0.statusCodeAndMessage() },
    InteropCase(name: "special_status_message") { try await $0.specialStatusMessage() },
    InteropCase(name: "unimplemented_method") { try await $0.unimplementedMethod() },
    InteropCase(name: "unimplemented_service") { try await $0.unimplementedService() },
  ]

  private static let metadataCases = [
    InteropCase(name: "custom_metadata") { try await $0.customMetadata() }
  ]
}

/// What a case found that should have been otherwise.
struct InteropFailure: Error, CustomStringConvertible {
  let description: String
}

/// What the cases call, and what they check. Used on the channel's loop.
struct InteropCalls: Sendable {
  /// Longest time that a case waits for an answer.
  private static let patience = Duration.seconds(60)
  let channel: ClientChannel
  let loop: EventLoop

  var service: TestingTestServiceClient { TestingTestServiceClient(channel: channel) }

  /// For calls that are to be answered.
  var options: CallOptions { CallOptions(timeout: InteropCalls.patience, clock: loop.clock) }

  func payload(_ size: Int) -> TestingPayload { TestingPayload(body: [UInt8](repeating: 0, count: size)) }

  func output(_ sizes: [Int32], payload size: Int? = nil) -> TestingStreamingOutputCallRequest {
    TestingStreamingOutputCallRequest(
      responseParameters: sizes.map { TestingResponseParameters(size: $0) }, payload: size.map(payload))
  }

  /// Makes a unary call with all that can be seen of it.
  func unary(
    _ request: TestingSimpleRequest, _ options: CallOptions, compressed: Bool = true
  ) async throws -> (reply: TestingSimpleResponse, call: ClientCall) {
    let call = try await channel.open(TestingTestServiceMethods.unaryCall, options)
    try await call.send(framed: try request.serialized(reservingPrefix: framePrefixLength), compressed: compressed)
    call.finishSending()
    guard let message = try await call.receive() else { throw InteropFailure(description: "no reply came") }
    try expect(
      call.lastReplyWasCompressed, request.responseCompressed?.value == true, "whether the reply is compressed")
    try expect(try await call.receive() == nil, true, "whether the reply is the only one")
    return (try TestingSimpleResponse(serialized: message), call)
  }

  func expect<Value: Equatable>(_ actual: Value, _ expected: Value, _ what: String) throws {
    guard actual != expected else { return }
    throw InteropFailure(description: "\(what): \(actual), expected \(expected)")
  }

  func expect(
    _ code: StatusCode, message: String? = nil, _ body: nonisolated(nonsending) () async throws -> Void
  ) async throws {
    do {
      try await body()
    } catch {
      let error = RPCError(converting: error)
      guard !(error.cause is InteropFailure) else { throw error.cause ?? error }
      try expect("\(error.code)", "\(code)", "status")
      if let message { try expect(error.message, message, "message") }
      return
    }
    throw InteropFailure(description: "the call ended with OK, expected \(code)")
  }
}
