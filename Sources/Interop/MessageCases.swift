import API
import RPCCore

/// Messages of all sizes in all kinds of calls.
extension InteropCalls {
  private static let replySizes: [Int32] = [31_415, 9, 2_653, 58_979]
  private static let requestSizes = [27_182, 8, 1_828, 45_904]

  func emptyUnary() async throws {
    let call = try await channel.open(TestingTestServiceMethods.emptyCall, options)
    try await call.send(framed: [UInt8](repeating: 0, count: framePrefixLength))
    call.finishSending()
    try expect(try await call.receive() ?? [1], [], "reply")
    try expect(try await call.receive() == nil, true, "whether the reply is the only one")
  }

  func largeUnary() async throws {
    let request = TestingSimpleRequest(responseSize: 314_159, payload: payload(271_828))
    try expect(try await unary(request, options).reply.payload, payload(314_159), "reply")
  }

  func clientStreaming() async throws {
    let call = try await service.streamingInputCall(options: options)
    for size in InteropCalls.requestSizes {
      try await call.write(TestingStreamingInputCallRequest(payload: payload(size)))
    }
    call.finishSending()
    try expect(try await call.next()?.aggregatedPayloadSize, 74_922, "sum")
    try expect(try await call.next() == nil, true, "whether the reply is the only one")
  }

  func serverStreaming() async throws {
    let replies = try await service.streamingOutputCall(output(InteropCalls.replySizes), options: options)
    var received: [Int32] = []
    while let reply = try await replies.next() { received.append(Int32(reply.payload?.body.count ?? -1)) }
    try expect(received, InteropCalls.replySizes, "sizes")
  }

  func pingPong() async throws {
    let call = try await service.fullDuplexCall(options: options)
    for (requestSize, replySize) in zip(InteropCalls.requestSizes, InteropCalls.replySizes) {
      try await call.write(output([replySize], payload: requestSize))
      try expect(try await call.next()?.payload, payload(Int(replySize)), "reply")
    }
    call.finishSending()
    try expect(try await call.next() == nil, true, "whether the call ends with the requests")
  }

  func emptyStream() async throws {
    let call = try await service.fullDuplexCall(options: options)
    call.finishSending()
    try expect(try await call.next() == nil, true, "whether no reply comes")
  }
}
