import API
import RPCCore
import RPCTransport

/// The server side of gRPC's interop tests (interop-test-descriptions.md of gRPC).
struct TestService: TestingTestServiceHandler {
  /// Largest body that a reply is asked for.
  private static let maximumBodyBytes: Int32 = 4_000_000
  let loops: EventLoopGroup
  /// Work that each unary call does for nothing, on its own loop as a handler's own work would be.
  var burden = Burden.none

  func emptyCall(_ request: TestingEmpty, _ context: ServerContext) async throws -> TestingEmpty {
    echoMetadata(context)
    return TestingEmpty()
  }

  func unaryCall(_ request: TestingSimpleRequest, _ context: ServerContext) async throws -> TestingSimpleResponse {
    burden.bear()
    echoMetadata(context)
    try expect(request.expectCompressed, context)
    try throwStatus(request.responseStatus)
    context.compressesReplies = request.responseCompressed?.value == true
    var response = TestingSimpleResponse()
    response.payload = try payload(request.responseSize)
    return response
  }

  func cacheableUnaryCall(
    _ request: TestingSimpleRequest, _ context: ServerContext
  ) async throws -> TestingSimpleResponse {
    try await unaryCall(request, context)
  }

  func streamingOutputCall(
    _ request: TestingStreamingOutputCallRequest, _ responses: ResponseWriter<TestingStreamingOutputCallResponse>,
    _ context: ServerContext
  ) async throws {
    echoMetadata(context)
    context.compressesReplies = request.responseParameters.contains { $0.compressed?.value == true }
    try await answer(request, responses)
    try throwStatus(request.responseStatus)
  }

  func streamingInputCall(
    _ requests: RequestReader<TestingStreamingInputCallRequest>, _ context: ServerContext
  ) async throws -> TestingStreamingInputCallResponse {
    echoMetadata(context)
    var response = TestingStreamingInputCallResponse()
    while let request = try await requests.next() {
      try expect(request.expectCompressed, context)
      response.aggregatedPayloadSize &+= Int32(clamping: request.payload?.body.count ?? 0)
    }
    return response
  }

  func fullDuplexCall(
    _ requests: RequestReader<TestingStreamingOutputCallRequest>,
    _ responses: ResponseWriter<TestingStreamingOutputCallResponse>, _ context: ServerContext
  ) async throws {
    echoMetadata(context)
    // The headers go with the first reply, when it is not known what later ones shall be.
    context.compressesReplies = true
    while let request = try await requests.next() {
      try throwStatus(request.responseStatus)
      try await answer(request, responses)
    }
  }

  func halfDuplexCall(
    _ requests: RequestReader<TestingStreamingOutputCallRequest>,
    _ responses: ResponseWriter<TestingStreamingOutputCallResponse>, _ context: ServerContext
  ) async throws {
    echoMetadata(context)
    context.compressesReplies = true
    var held: [TestingStreamingOutputCallRequest] = []
    while let request = try await requests.next() {
      guard held.count < 1_024 else { throw RPCError(.resourceExhausted, "at most 1,024 requests in one call") }
      held.append(request)
    }
    for request in held { try await answer(request, responses) }
  }

  func unimplementedCall(_ request: TestingEmpty, _ context: ServerContext) async throws -> TestingEmpty {
    throw RPCError(.unimplemented, "this method is not implemented by any server")
  }

  private func answer(
    _ request: TestingStreamingOutputCallRequest, _ responses: ResponseWriter<TestingStreamingOutputCallResponse>
  ) async throws {
    for parameters in request.responseParameters {
      if parameters.intervalUs > 0 { try await loops.current?.sleep(for: .microseconds(Int64(parameters.intervalUs))) }
      var response = TestingStreamingOutputCallResponse()
      response.payload = try payload(parameters.size)
      try await responses.write(response, compressed: parameters.compressed?.value == true)
    }
  }

  private func payload(_ size: Int32) throws -> TestingPayload {
    guard (0...TestService.maximumBodyBytes).contains(size) else {
      throw RPCError.badRequest([FieldViolation("response_size", "0 to \(TestService.maximumBodyBytes) bytes")])
    }
    var payload = TestingPayload()
    payload.body = [UInt8](repeating: 0, count: Int(size))
    return payload
  }

  /// What the request says of its own compression must be true.
  private func expect(_ compressed: TestingBoolValue?, _ context: ServerContext) throws {
    guard let compressed, compressed.value != context.lastRequestWasCompressed else { return }
    let expectation = "must be true of the message, which came \(compressed.value ? "un" : "")compressed"
    throw RPCError.badRequest([FieldViolation("expect_compressed", expectation)])
  }

  private func throwStatus(_ status: TestingEchoStatus?) throws {
    guard let status, status.code != 0 else { return }
    throw RPCError(StatusCode(rawValue: Int(status.code)) ?? .unknown, status.message)
  }

  /// Sends back what the case custom_metadata sends.
  private func echoMetadata(_ context: ServerContext) {
    for value in context.metadata.values("x-grpc-test-echo-initial") {
      context.initialMetadata.add("x-grpc-test-echo-initial", String(decoding: value, as: UTF8.self))
    }
    for value in context.metadata.values("x-grpc-test-echo-trailing-bin") {
      context.trailingMetadata.addBinary("x-grpc-test-echo-trailing-bin", value)
    }
  }
}
