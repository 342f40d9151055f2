import Core
import Logging
import RPCCore
import RPCTransport
import Synchronization
import Testing

/// Refuses so many streams unseen, then answers.
private final class Refusing: StreamAcceptor {
  private let left: Mutex<Int>
  private let inner: GRPCAcceptor

  init(_ count: Int, then inner: GRPCAcceptor) {
    left = Mutex(count)
    self.inner = inner
  }

  func accept(_ stream: HTTP2Stream, peer: Peer, loop: EventLoop) -> (any HTTP2StreamHandler)? {
    let refuses = left.withLock { left in
      defer { left -= 1 }
      return left > 0
    }
    return refuses ? nil : inner.accept(stream, peer: peer, loop: loop)
  }
}

/// Takes so many bytes of the first stream and then refuses it; answers all others.
private final class RefusingLate: StreamAcceptor {
  private let bytes: Int
  private let hasRefused = Mutex(false)
  private let inner: GRPCAcceptor

  init(after bytes: Int, then inner: GRPCAcceptor) {
    self.bytes = bytes
    self.inner = inner
  }

  func accept(_ stream: HTTP2Stream, peer: Peer, loop: EventLoop) -> (any HTTP2StreamHandler)? {
    let isFirst = hasRefused.withLock { hasRefused in
      defer { hasRefused = true }
      return !hasRefused
    }
    return isFirst ? Taker(stream, bytes) : inner.accept(stream, peer: peer, loop: loop)
  }

  private final class Taker: HTTP2StreamHandler {
    private let stream: HTTP2Stream
    private var left: Int

    init(_ stream: HTTP2Stream, _ bytes: Int) {
      self.stream = stream
      left = bytes
    }

    func received(headers: HeaderBlock, endStream: Bool) {}
    func received(data: UnsafeRawBufferPointer) {
      stream.consume(data.count)
      left -= data.count
      // REFUSED_STREAM of RFC 9113, 7.
      if left <= 0 { stream.reset(7) }
    }
    func receivedEnd(trailers: HeaderBlock?) {}
    func becameWritable() {}
    func closed(errorCode: UInt32) {}
  }
}

/// Calls of one channel to a server with this acceptor, which gets the one that answers.
private func withChannel(
  _ acceptor: (GRPCAcceptor) -> any StreamAcceptor, _ body: @escaping @Sendable (ClientChannel) async throws -> Void
) async throws {
  let loops = try EventLoopGroup(count: 1)
  let identities = try TestIdentities()
  let inner = GRPCAcceptor(router: Probe(loops: loops).router, logger: Logger(label: "test"))
  let server = try await Server(
    .init(host: "127.0.0.1", port: 0, tls: identities.server()), acceptor: acceptor(inner), group: loops)
  let context = try TLSContext(identities.client(), role: .client)
  let loop = loops.first
  let error = await status {
    try await loop.run {
      let channel = ClientChannel(host: "127.0.0.1", port: server.port, tls: context, loop: loop)
      defer { channel.close() }
      try await body(channel)
    }
  }
  await server.shutdown(grace: .zero)
  loops.stop()
  if let error { throw error }
}

/// A server that is about to stop refuses calls unseen; a caller should not notice.
@Suite("Calls that were refused unseen", .timeLimit(.minutes(5))) struct RefusedCallTests {
  private static let options = CallOptions(timeout: .seconds(200))

  @Test(arguments: [(0, nil), (1, nil), (2, StatusCode.unavailable)] as [(Int, StatusCode?)])
  func aCallThatWasRefusedUnseenIsMadeOnceMore(refusals: Int, expected: StatusCode?) async throws {
    let error = await status {
      try await withChannel({ Refusing(refusals, then: $0) }) { channel in
        _ = try await channel.unary(Probe.echo, framed: framed("?"), RefusedCallTests.options)
      }
    }
    #expect(error?.code == expected)
  }

  @Test func aStreamingCallIsMadeOnceMoreWithAllThatWasSent() async throws {
    try await withChannel({ Refusing(1, then: $0) }) { channel in
      let call = try await channel.open(Probe.chat, RefusedCallTests.options)
      for word in ["one", "two", "three"] { try await call.send(framed: framed(word)) }
      for word in ["one", "two", "three"] { #expect(try await call.receive().map(text) == word) }
      try await call.send(framed: framed("four"))
      call.finishSending()
      #expect(try await call.receive().map(text) == "four")
      #expect(try await call.receive() == nil)
    }
  }

  @Test("A streamed request is sent again while it is held: 64 KiB, and what has not left")
  func heldRequests() async throws {
    try await withChannel({ RefusingLate(after: 50_000, then: $0) }) { channel in
      let total = try await sum(channel, messages: 2)
      #expect(total == "2 60000")
    }
    let error = await status {
      try await withChannel({ RefusingLate(after: 100_000, then: $0) }) { channel in
        _ = try await sum(channel, messages: 5)
      }
    }
    #expect(error?.code == .unavailable)
  }

  @Test("A single request is sent again whatever its size")
  func largeRequest() async throws {
    try await withChannel({ RefusingLate(after: 1_000_000, then: $0) }) { channel in
      let request = [UInt8](repeating: 3, count: 1_000_000)
      let reply = try await channel.unary(Probe.echo, framed: framed(request), RefusedCallTests.options)
      #expect(reply.message == request)
    }
  }

  private func sum(_ channel: ClientChannel, messages: Int) async throws -> String? {
    let call = try await channel.open(Probe.sum, RefusedCallTests.options)
    for _ in 0..<messages { try await call.send(framed: framed([UInt8](repeating: 1, count: 30_000))) }
    call.finishSending()
    return try await call.receive().map(text)
  }
}
