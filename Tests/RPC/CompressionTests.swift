import RPCCore
import Testing

@testable import RPCTransport

@Suite("Compressed messages", .timeLimit(.minutes(10)))
struct CompressionTests {
  /// Frames a message as compressed, whatever is in it.
  private func compressedFrame(_ bytes: [UInt8]) -> [UInt8] {
    var frame = framed(bytes)
    setFramePrefix(&frame, flag: 1)
    return frame
  }

  private func gzip(_ content: [UInt8]) throws -> [UInt8] { try #require(Gzip.deflate(framed: framed(content))) }

  @Test("Any content comes back from gzip, and what gets no smaller is left as it is", arguments: 0..<40)
  func roundTrip(_ seed: UInt64) throws {
    let random = SeededRandom(seed)
    let piece = random.bytes(1 + random.below(50))
    var content: [UInt8] = []
    let length = [10, 300, 5_000, 40_000, 300_000][random.below(5)]
    while content.count < length { content += random.below(3) == 0 ? random.bytes(random.below(60)) : piece }
    if let frame = Gzip.deflate(framed: framed(content)) {
      #expect(frame.count < content.count + framePrefixLength)
      #expect(frame[0] == 1)
      #expect(try Gzip.inflate(Array(frame[framePrefixLength...]), maximumBytes: content.count) == content)
    }
    #expect(Gzip.deflate(framed: framed(random.bytes(length))) == nil)
  }

  @Test("Damaged gzip is an error and never a crash, wherever it is cut or changed")
  func damaged() throws {
    let good = Array(try gzip(Array(repeating: 7, count: 2_000) + Array(0...255))[framePrefixLength...])
    func code(_ bytes: [UInt8]) -> StatusCode? {
      do throws(RPCError) {
        _ = try Gzip.inflate(bytes, maximumBytes: 10_000)
        return nil
      } catch { return error.code }
    }
    #expect(code(good) == nil)
    #expect(code([]) == nil)
    for length in 1..<good.count { #expect(code(Array(good[..<length])) == .internal) }
    #expect(code(good + [0]) == .internal)
    let random = SeededRandom(5)
    for _ in 0..<2_000 {
      var bytes = good
      bytes[random.below(bytes.count)] ^= 1 << UInt8(random.below(8))
      _ = code(bytes)
    }
  }

  @Test("Requests and replies go compressed when both sides ask for it", arguments: Wire.allCases)
  func bothWays(_ wire: Wire) async throws {
    let large = String(repeating: "policy ", count: 20_000)
    // Of this, more is left than is inflated at once.
    let hexadecimal = SeededRandom(7).bytes(200_000).map { String($0, radix: 16) }.joined()
    try await withBench(wire) { bench async throws in
      for (compresses, accepts) in [(true, true), (true, false), (false, true), (false, false)] {
        var options = CallOptions()
        options.compressesRequests = compresses
        options.acceptsCompressedReplies = accepts
        let call = try await bench.channel.open(Probe.squeeze, options)
        for message in [large, "", hexadecimal, large] {
          try await call.send(framed: framed(message))
          let reply = text(try await call.receive())
          // The server says of each request whether it came compressed; what is empty never is.
          #expect(reply == (message.isEmpty ? "" : "\(compresses) \(message)"))
          #expect(call.lastReplyWasCompressed == (accepts && message != ""))
        }
        try await call.send(framed: framed(large), compressed: false)
        #expect(text(try await call.receive()).hasPrefix("false "))
        call.finishSending()
        #expect(try await call.receive() == nil)
      }
    }
  }

  @Test("A large message is opened and compressed in pieces, between which other calls are answered")
  func pieces() async throws {
    let content = SeededRandom(3).bytes(500_000).map { UInt8(ascii: "a") + $0 % 16 }
    try await withRawCaller { caller async throws in
      /// Calls beside a large call whose request has just come as a whole; true if that one was answered first.
      func answeredBeside(_ large: (handler: RecordingHandler, stream: HTTP2Stream), _ isBegun: () -> Bool) async throws
      {
        while case .carried = caller.pipe.pump() {}
        large.stream.finish()
        _ = caller.pipe.pump()
        let small = try caller.open(Probe.echo, [], framedMessage("small")).handler
        _ = caller.pipe.pump()
        await caller.pump { small.closedWith != nil }
        #expect(small.code == "0")
        #expect(!isBegun())
      }
      let request = try caller.open(Probe.readAndBlock, [("grpc-encoding", "gzip")], gzip(content), ends: false)
      try await answeredBeside(request) { caller.probe.executions.total > 0 }
      await caller.pump { caller.probe.executions.total == 1 }
      caller.probe.release.note("")
      await caller.pump { request.handler.closedWith != nil }
      #expect(request.handler.code == "0")

      var plain = framed(content)
      setFramePrefix(&plain, flag: 0)
      let reply = try caller.open(Probe.squeeze, [("grpc-accept-encoding", "gzip")], plain, ends: false)
      try await answeredBeside(reply) { !reply.handler.data.isEmpty }
      await caller.pump { reply.handler.closedWith != nil }
      #expect(reply.handler.code == "0" && reply.handler.data.first == 1)
      let frame = Array(reply.handler.data[framePrefixLength...])
      #expect(try Gzip.inflate(frame, maximumBytes: 1_000_000) == Array("false ".utf8) + content)
    }
  }

  @Test("A call that ends while its request is opened gives back what it has taken")
  func endedWithin() async throws {
    let content = SeededRandom(3).bytes(500_000).map { UInt8(ascii: "a") + $0 % 16 }
    var limits = CallLimits()
    limits.inflatedBytes = 600_000
    try await withRawCaller(limits) { caller async throws in
      for _ in 0..<3 {
        let call = try caller.open(Probe.readAndBlock, [("grpc-encoding", "gzip")], gzip(content), ends: false)
        while case .carried = caller.pipe.pump() {}
        call.stream.finish()
        _ = caller.pipe.pump()
        // Its task has opened a piece or two.
        for _ in 0..<3 { await Task.yield() }
        call.stream.reset(8)
        await caller.pump { call.handler.closedWith != nil }
      }
      #expect(caller.probe.executions.total == 0)
      caller.probe.release.note("")
      let done = try await caller.call(Probe.readAndBlock, [("grpc-encoding", "gzip")], gzip(content))
      #expect(done.code == "0")
    }
  }

  @Test("A bomb ends with RESOURCE_EXHAUSTED, at a client and at a server", arguments: Wire.allCases)
  func bomb(_ wire: Wire) async throws {
    var limits = CallLimits()
    limits.maximumMessageBytes = 100_000
    try await withBench(wire, callLimits: limits) { bench async throws in
      var options = CallOptions()
      options.compressesRequests = true
      options.acceptsCompressedReplies = true
      let zeros = framed([UInt8](repeating: 0, count: 100_001))
      let error = await status { _ = try await bench.channel.unary(Probe.echo, framed: zeros, options) }
      #expect(error?.code == .resourceExhausted)
      let call = try await bench.channel.open(Probe.fill, options)
      try await call.send(framed: framed("1 100001"))
      call.finishSending()
      #expect(await status { _ = try await call.receive() }?.code == .resourceExhausted)
      #expect(try await bench.call(Probe.echo, "alive", options) == "alive")
    }
  }

  @Test("An encoding that is not known is UNIMPLEMENTED, with those that are; gzip without being said so is INTERNAL")
  func unknownEncoding() async throws {
    try await withRawCaller { caller async throws in
      let message = try gzip([UInt8](repeating: 65, count: 1_000))
      let unknown = try await caller.call(Probe.echo, [("grpc-encoding", "snappy")], message)
      #expect(unknown.code == "12")
      #expect(unknown.trailers?.first("grpc-accept-encoding") == "identity,gzip")
      for encoding in [[], [("grpc-encoding", "identity")]] {
        #expect(try await caller.call(Probe.echo, encoding, message).code == "13")
      }
      let known = try await caller.call(Probe.echo, [("grpc-encoding", "gzip")], message)
      #expect(known.code == "0")
      #expect(known.data.count == 1_005)
      #expect(known.headers?.first("grpc-encoding") == nil)
      let damaged = try await caller.call(Probe.echo, [("grpc-encoding", "gzip")], compressedFrame([1, 2, 3]))
      #expect(damaged.code == "13")
      // A handler that goes on over the error does not turn it into an answer.
      let swallowed = try await caller.call(Probe.reader, [("grpc-encoding", "gzip")], compressedFrame([1, 2, 3]))
      #expect(swallowed.code == "13")
      #expect(await caller.probe.notes.next() == "started")
      #expect(await caller.probe.notes.next() == "read: INTERNAL")
    }
  }

  @Test("What waits for its handler stays compressed, so that it takes no more memory than it took on the wire")
  func waiting() {
    let inbox = ServerCall(
      method: Probe.sum,
      context: .init(method: Probe.sum, metadata: .init(), deadline: nil, peer: .init(address: "", certificate: nil)),
      transport: NowhereTransport())
    inbox.deliver([UInt8](repeating: 0, count: 100), isCompressed: true)
    #expect(inbox.unreadBytes < 200)
  }

  @Test("What running calls have inflated is bounded for all together, and given back at their end")
  func budget() async throws {
    var limits = CallLimits()
    limits.inflatedBytes = 150_000
    try await withRawCaller(limits) { caller async throws in
      let request = try gzip([UInt8](repeating: 0, count: 100_000))
      let encoding = [("grpc-encoding", "gzip")]
      let blocked = try caller.open(Probe.readAndBlock, encoding, request).handler
      await caller.pump { caller.probe.executions.total == 1 }
      #expect(try await caller.call(Probe.echo, encoding, request).code == "8")
      caller.probe.release.note("")
      await caller.pump { blocked.closedWith != nil }
      for _ in 0..<10 { #expect(try await caller.call(Probe.echo, encoding, request).code == "0") }
    }
  }

  @Test("gzip is found in a grpc-accept-encoding wherever it stands")
  func accepted() {
    func isGzip(_ text: String) -> Bool {
      var text = text
      return text.withUTF8 { MessageEncoding.isGzip(in: UnsafeRawBufferPointer($0)) }
    }
    for text in ["gzip", "identity, deflate, gzip", "gzip,identity", " gzip ", ",,gzip,"] { #expect(isGzip(text)) }
    for text in ["", ",", " ", "identity", "gzipx", "xgzip", "gz ip", "g,zip"] { #expect(!isGzip(text)) }
  }
}
