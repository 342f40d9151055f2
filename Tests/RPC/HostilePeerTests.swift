import Core
import Logging
import RPCCore
import RPCInProcess
import Testing

@testable import RPCTransport

/// A peer that speaks HTTP/2 but does not behave, against a real server in memory.
@Suite("Peers that do not behave", .timeLimit(.minutes(10)))
struct HostilePeerTests {
  @Test("A client that never ends its request does not hold the stream once it is answered")
  func unendedRequest() async throws {
    try await withRawCaller { caller async throws in
      let handler = try caller.open(Probe.method("Nothing", .bidirectional), ends: false).handler
      while caller.pipe.pump() == .carried {}
      #expect(handler.code == "12")
      #expect(handler.closedWith == 0)
      #expect(caller.pipe.server.activeStreams == 0)
    }
  }

  @Test("A content type that is not gRPC's, and a method that is not POST, are refused by HTTP status")
  func notGRPC() async throws {
    try await withRawCaller { caller async throws in
      for (field, value, status) in [("content-type", "application/json", "415"), (":method", "GET", "405")] {
        let handler = try caller.open(Probe.echo, [(field, value)]).handler
        while caller.pipe.pump() == .carried {}
        #expect(handler.headers?.first(":status") == status)
      }
    }
  }

  @Test("A reset in the middle of each step leaves nothing behind")
  func resets() async throws {
    try await withRawCaller { caller async throws in
      for turns in 0..<4 {
        for _ in 0..<50 {
          let stream = try caller.open(Probe.chat, [], framedMessage("A"), ends: false).stream
          for _ in 0..<turns { _ = caller.pipe.pump() }
          stream.reset(8)
          while caller.pipe.pump() == .carried {}
        }
      }
      #expect(caller.pipe.server.activeStreams == 0)
      #expect(caller.pipe.client.activeStreams == 0)
    }
  }

  @Test("A flood of resets ends the connection (CVE-2023-44487)")
  func rapidReset() async throws {
    try await withRawCaller { caller async throws in
      var opened = 0
      while opened < 5_000, !caller.pipe.client.isClosing {
        let stream = try caller.open(Probe.chat, ends: false).stream
        opened += 1
        _ = caller.pipe.pump()
        stream.reset(8)
        _ = caller.pipe.pump()
      }
      // How many it takes depends on the time: nghttp2 allows a burst, and so many more a second.
      #expect(caller.pipe.client.isClosing)
    }
  }

  @Test("A bad timeout and a message with a bad prefix cost the call only")
  func badMessages() async throws {
    try await withRawCaller { caller async throws in
      func answer(_ more: [(String, String)], _ bytes: [UInt8]) throws -> String? {
        let handler = try caller.open(Probe.echo, more, bytes).handler
        while caller.pipe.pump() == .carried {}
        return handler.code
      }
      #expect(try answer([("grpc-timeout", "5")], []) == "13")
      #expect(try answer([], [1, 0, 0, 0, 1, 65]) == "13")
      #expect(try answer([], [2, 0, 0, 0, 1, 65]) == "13")
      #expect(try answer([], [0, 255, 255, 255, 255, 65]) == "8")
      #expect(try answer([], [0, 0, 0, 0, 9, 65]) == "13")
    }
  }

  @Test("A connection that has had its number of streams is replaced")
  func streamNumbers() async throws {
    let loops = try EventLoopGroup(count: 1)
    defer { loops.stop() }
    var limits = HTTP2Limits()
    limits.streamsPerConnection = 10
    let endpoint = InProcessEndpoint(
      GRPCAcceptor(router: Probe(loops: loops).router, logger: Logger(label: "test")), loop: loops.first, limits: limits
    )
    try await withTaskExecutorPreference(loops.first) { @concurrent () async throws in
      let channel = endpoint.channel()
      for number in 0..<100 {
        #expect(text(try await channel.unary(Probe.echo, framed: framed("\(number)"), .init()).message) == "\(number)")
      }
      endpoint.stop()
    }
  }
}
