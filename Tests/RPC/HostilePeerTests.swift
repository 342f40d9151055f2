import Core
import Logging
import RPCCore
import RPCInProcess
import Testing

@testable import RPCTransport

/// A peer that speaks HTTP/2 but does not behave, against a real server in memory.
@Suite("Peers that do not behave", .timeLimit(.minutes(10)))
struct HostilePeerTests {
  /// A raw client and a server with the probe, pumped by hand on one loop.
  private func withRawClient<Value: Sendable>(
    _ body: nonisolated(nonsending) @Sendable (HTTP2Pipe, Probe) async throws -> Value
  ) async throws -> Value {
    let loops = try EventLoopGroup(count: 1)
    defer { loops.stop() }
    let probe = Probe(loops: loops)
    return try await withTaskExecutorPreference(loops.first) { @concurrent () async throws in
      let pipe = try #require(HTTP2Pipe())
      let delegate = AcceptingEnd(
        GRPCAcceptor(router: probe.router, logger: Logger(label: "test")), loop: loops.first)
      pipe.server.delegate = delegate
      defer { withExtendedLifetime(delegate) {} }
      return try await body(pipe, probe)
    }
  }

  private func headers(_ method: MethodDescriptor, _ more: [(String, String)] = []) -> HeaderBlock {
    HeaderBlock(
      [
        (":method", "POST"), (":scheme", "https"), (":path", method.path), (":authority", "test"),
        ("content-type", "application/grpc"), ("te", "trailers"),
      ] + more)
  }

  @Test("A client that never ends its request does not hold the stream once it is answered")
  func unendedRequest() async throws {
    try await withRawClient { pipe, _ async throws in
      let handler = RecordingHandler()
      _ = try #require(pipe.client.open(headers(Probe.method("Nothing", .bidirectional)), handler: handler))
      while pipe.pump() == .carried {}
      #expect(handler.trailers?.first("grpc-status") == "12")
      #expect(handler.closedWith == 0)
      #expect(pipe.server.activeStreams == 0)
      pipe.cut("test")
    }
  }

  @Test("A content type that is not gRPC's, and a method that is not POST, are refused by HTTP status")
  func notGRPC() async throws {
    try await withRawClient { pipe, _ async throws in
      for (field, value, status) in [("content-type", "application/json", "415"), (":method", "GET", "405")] {
        let handler = RecordingHandler()
        var block = HeaderBlock()
        headers(Probe.echo).forEach { name, old in
          block.append(name: name, value: name.elementsEqual(field.utf8) ? Array(value.utf8) : Array(old))
        }
        let stream = try #require(pipe.client.open(block, handler: handler))
        stream.finish()
        while pipe.pump() == .carried {}
        #expect(handler.headers?.first(":status") == status)
      }
      pipe.cut("test")
    }
  }

  @Test("A reset in the middle of each step leaves nothing behind")
  func resets() async throws {
    try await withRawClient { pipe, _ async throws in
      for turns in 0..<4 {
        for _ in 0..<50 {
          let handler = RecordingHandler()
          let stream = try #require(pipe.client.open(headers(Probe.chat), handler: handler))
          stream.write([0, 0, 0, 0, 1, 65])
          for _ in 0..<turns { _ = pipe.pump() }
          stream.reset(8)
          while pipe.pump() == .carried {}
        }
      }
      #expect(pipe.server.activeStreams == 0)
      #expect(pipe.client.activeStreams == 0)
      pipe.cut("test")
    }
  }

  @Test("A flood of resets ends the connection (CVE-2023-44487)")
  func rapidReset() async throws {
    try await withRawClient { pipe, _ async throws in
      var opened = 0
      while opened < 5_000, !pipe.client.isClosing {
        guard let stream = pipe.client.open(headers(Probe.chat), handler: RecordingHandler()) else { break }
        opened += 1
        _ = pipe.pump()
        stream.reset(8)
        _ = pipe.pump()
      }
      // How many it takes depends on the time: nghttp2 allows a burst, and so many more a second.
      #expect(pipe.client.isClosing)
      pipe.cut("test")
    }
  }

  @Test("A bad timeout and a message with a bad prefix cost the call only")
  func badMessages() async throws {
    try await withRawClient { pipe, _ async throws in
      func answer(_ more: [(String, String)], _ bytes: [UInt8]) throws -> String? {
        let handler = RecordingHandler()
        let stream = try #require(pipe.client.open(headers(Probe.echo, more), handler: handler))
        stream.write(bytes)
        stream.finish()
        while pipe.pump() == .carried {}
        return handler.trailers?.first("grpc-status") ?? handler.headers?.first("grpc-status")
      }
      #expect(try answer([("grpc-timeout", "5")], []) == "13")
      #expect(try answer([], [1, 0, 0, 0, 1, 65]) == "13")
      #expect(try answer([], [2, 0, 0, 0, 1, 65]) == "13")
      #expect(try answer([], [0, 255, 255, 255, 255, 65]) == "8")
      #expect(try answer([], [0, 0, 0, 0, 9, 65]) == "13")
      pipe.cut("test")
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

final class AcceptingEnd: HTTP2ConnectionDelegate {
  private let acceptor: GRPCAcceptor
  private let loop: EventLoop

  init(_ acceptor: GRPCAcceptor, loop: EventLoop) {
    self.acceptor = acceptor
    self.loop = loop
  }

  func connectionNeedsFlush() {}
  func connectionOpened(_ stream: HTTP2Stream) -> (any HTTP2StreamHandler)? {
    acceptor.accept(stream, peer: Peer(address: "test", certificate: nil), loop: loop)
  }
  func connectionReceivedGoAway() {}
  func connectionClosedStream() {}
}

/// Keeps what a stream received.
final class RecordingHandler: HTTP2StreamHandler {
  var headers: HeaderBlock?
  var trailers: HeaderBlock?
  var data: [UInt8] = []
  var closedWith: UInt32?

  func received(headers: HeaderBlock, endStream: Bool) {
    self.headers = headers
    if endStream { trailers = headers }
  }
  func received(data: UnsafeRawBufferPointer) { self.data += data }
  func receivedEnd(trailers: HeaderBlock?) { self.trailers = trailers ?? self.trailers }
  func becameWritable() {}
  func closed(errorCode: UInt32) { closedWith = errorCode }
}
