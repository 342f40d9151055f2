import API
import RPCCore

/// Messages in gzip, each way and mixed with plain ones. The first call of a client's case finds out whether the server looks.
extension InteropCalls {
  private var compressing: CallOptions {
    var options = options
    options.compressesRequests = true
    return options
  }

  private var accepting: CallOptions {
    var options = options
    options.acceptsCompressedReplies = true
    return options
  }

  func clientCompressedUnary() async throws {
    var request = TestingSimpleRequest(responseSize: 314_159, payload: payload(271_828))
    request.expectCompressed = TestingBoolValue(value: true)
    try await expect(.invalidArgument) { _ = try await unary(request, compressing, compressed: false) }
    for compressed in [true, false] {
      request.expectCompressed = TestingBoolValue(value: compressed)
      let reply = try await unary(request, compressing, compressed: compressed).reply
      try expect(reply.payload, payload(314_159), "reply")
    }
  }

  func serverCompressedUnary() async throws {
    var request = TestingSimpleRequest(responseSize: 314_159, payload: payload(271_828))
    for compressed in [true, false] {
      request.responseCompressed = TestingBoolValue(value: compressed)
      try expect(try await unary(request, accepting).reply.payload, payload(314_159), "reply")
    }
  }

  func clientCompressedStreaming() async throws {
    let probe = try await service.streamingInputCall(options: compressing)
    try await probe.write(input(27_182, expectCompressed: true), compressed: false)
    probe.finishSending()
    try await expect(.invalidArgument) { _ = try await probe.next() }

    let call = try await service.streamingInputCall(options: compressing)
    try await call.write(input(27_182, expectCompressed: true))
    try await call.write(input(45_904, expectCompressed: false), compressed: false)
    call.finishSending()
    try expect(try await call.next()?.aggregatedPayloadSize, 73_086, "sum")
    try expect(try await call.next() == nil, true, "whether the reply is the only one")
  }

  func serverCompressedStreaming() async throws {
    let expected: [(size: Int32, compressed: Bool)] = [(31_415, true), (92_653, false)]
    var request = TestingStreamingOutputCallRequest()
    request.responseParameters = expected.map {
      TestingResponseParameters(size: $0.size, compressed: TestingBoolValue(value: $0.compressed))
    }
    let replies = try await service.streamingOutputCall(request, options: accepting)
    for (size, compressed) in expected {
      try expect(try await replies.next()?.payload, payload(Int(size)), "reply")
      try expect(replies.call.lastReplyWasCompressed, compressed, "whether the reply is compressed")
    }
    try expect(try await replies.next() == nil, true, "whether no more replies come")
  }

  private func input(_ size: Int, expectCompressed: Bool) -> TestingStreamingInputCallRequest {
    TestingStreamingInputCallRequest(
      payload: payload(size), expectCompressed: TestingBoolValue(value: expectCompressed))
  }
}
