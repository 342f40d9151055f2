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

/// A server that is about to stop refuses calls unseen; a caller should not notice.
@Suite struct RefusedCallTests {
  @Test(arguments: [(0, nil), (1, nil), (2, StatusCode.unavailable)] as [(Int, StatusCode?)])
  func aCallThatWasRefusedUnseenIsMadeOnceMore(refusals: Int, expected: StatusCode?) async throws {
    let loops = try EventLoopGroup(count: 1)
    let identities = try TestIdentities()
    let inner = GRPCAcceptor(router: Probe(loops: loops).router, logger: Logger(label: "test"))
    let server = try await Server(
      .init(host: "127.0.0.1", port: 0, tls: identities.server()), acceptor: Refusing(refusals, then: inner),
      group: loops)
    let context = try TLSContext(identities.client(), role: .client)
    let loop = loops.first
    let error = await status {
      try await loop.run {
        let channel = ClientChannel(host: "127.0.0.1", port: server.port, tls: context, loop: loop)
        defer { channel.close() }
        _ = try await channel.unary(Probe.echo, framed: framed("?"), CallOptions(timeout: .seconds(60)))
      }
    }
    #expect(error?.code == expected)
    await server.shutdown(grace: .zero)
    loops.stop()
  }
}
