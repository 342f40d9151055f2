import API
import RPCCore

/// How calls end: cancelled, too late, with a status; and what is sent along.
extension InteropCalls {
  /// Too short for any server: the case wants to see a deadline pass.
  private static let impatience = Duration.milliseconds(1)
  private static let initialKey = "x-grpc-test-echo-initial"
  private static let trailingKey = "x-grpc-test-echo-trailing-bin"

  func cancelAfterBegin() async throws {
    let call = try await service.streamingInputCall(options: options)
    call.call.cancel()
    try await expect(.cancelled) { _ = try await call.next() }
  }

  func cancelAfterFirstResponse() async throws {
    let call = try await service.fullDuplexCall(options: options)
    try await call.write(output([31_415], payload: 27_182))
    try expect(try await call.next()?.payload, payload(31_415), "reply")
    call.call.cancel()
    try await expect(.cancelled) { _ = try await call.next() }
  }

  func timeoutOnSleepingServer() async throws {
    try await expect(.deadlineExceeded) {
      let options = CallOptions(timeout: InteropCalls.impatience, clock: loop.clock)
      let call = try await service.fullDuplexCall(options: options)
      try await call.write(output([], payload: 27_182))
      _ = try await call.next()
    }
  }

  func statusCodeAndMessage() async throws {
    let status = TestingEchoStatus(code: 2, message: "test status message")
    try await expect(.unknown, message: status.message) {
      _ = try await service.unaryCall(TestingSimpleRequest(responseStatus: status), options: options)
    }
    try await expect(.unknown, message: status.message) {
      let call = try await service.fullDuplexCall(options: options)
      try await call.write(TestingStreamingOutputCallRequest(responseStatus: status))
      call.finishSending()
      while try await call.next() != nil {}
    }
  }

  func specialStatusMessage() async throws {
    let status = TestingEchoStatus(
      code: 2, message: "\t\ntest with whitespace\r\nand Unicode BMP \u{263A} and non-BMP \u{1F608}\t\n")
    try await expect(.unknown, message: status.message) {
      _ = try await service.unaryCall(TestingSimpleRequest(responseStatus: status), options: options)
    }
  }

  func unimplementedMethod() async throws {
    try await expect(.unimplemented) { _ = try await service.unimplementedCall(TestingEmpty(), options: options) }
  }

  func unimplementedService() async throws {
    let nobody = TestingUnimplementedServiceClient(channel: channel)
    try await expect(.unimplemented) { _ = try await nobody.unimplementedCall(TestingEmpty(), options: options) }
  }

  func customMetadata() async throws {
    var options = options
    let binary: [UInt8] = [0xAB, 0xAB, 0xAB]
    options.metadata.add(InteropCalls.initialKey, "test_initial_metadata_value")
    options.metadata.addBinary(InteropCalls.trailingKey, binary)

    let single = try await unary(TestingSimpleRequest(responseSize: 314_159, payload: payload(271_828)), options).call
    let duplex = try await service.fullDuplexCall(options: options)
    try await duplex.write(output([314_159], payload: 271_828))
    try expect(try await duplex.next()?.payload, payload(314_159), "reply")
    duplex.finishSending()
    try expect(try await duplex.next() == nil, true, "whether the call ends with the requests")
    for call in [single, duplex.call] {
      let initial = call.initialMetadata.first(InteropCalls.initialKey) ?? "none"
      try expect(initial, "test_initial_metadata_value", "initial metadata")
      try expect(call.trailingMetadata.values(InteropCalls.trailingKey), [binary], "trailing metadata")
    }
  }
}
