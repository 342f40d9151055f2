import Core
import Logging
import MainstayTesting
import RPCCore
import Synchronization

@testable import RPCTransport

/// The machine's clock, put forward by hand.
final class ForwardClock: Clock {
  let days = Mutex(0)
  let hours = Mutex(0)

  func now() -> Timestamp {
    let microseconds = SystemClock().now().microsecondsSinceEpoch
    return Timestamp(microsecondsSinceEpoch: microseconds + Int64(days.withLock { $0 }) * 86_400_000_000)
  }

  func monotonicNanoseconds() -> UInt64 {
    SystemClock().monotonicNanoseconds() + UInt64(hours.withLock { $0 }) * 3_600_000_000_000
  }
}

/// A server with a revocation list, and what its clients need. `clock` is the server's.
struct ResumptionScene: Sendable {
  let server: Server
  let clock: ForwardClock
  let identities: TestIdentities
  let serverFiles: TLSConfiguration
  let clientFiles: TLSConfiguration
  let loop: EventLoop

  /// A client that has no session yet.
  func client() throws -> ResumingClient {
    ResumingClient(port: server.port, context: try TLSContext(clientFiles, role: .client), loop: loop)
  }
}

/// Makes one connection after the other to the same address.
final class ResumingClient: SubchannelOwner {
  private let subchannel: Subchannel
  private let notes = Notes()

  init(port: Int, context: TLSContext, loop: EventLoop) {
    var configuration = ConnectionPool.Configuration()
    configuration.connectTimeout = .seconds(60)
    subchannel = Subchannel(
      target: ConnectionTarget(host: "127.0.0.1", port: port),
      address: SocketAddress.resolve(host: "127.0.0.1", port: port)[0], isExtra: false, loop: loop, context: context,
      configuration: configuration)
    subchannel.owner = self
  }

  /// Connects anew: "full" or "resumed", or why it failed.
  func connect() async -> String {
    subchannel.disconnect()
    subchannel.connect()
    return await notes.next()
  }

  func subchannelChanged(_ subchannel: Subchannel) {
    guard let http2 = subchannel.http2 else { return }
    notes.note(http2.statistics.sessionsResumed == 1 ? "resumed" : "full")
  }

  func subchannelFailed(_ subchannel: Subchannel) {
    let reason = subchannel.machine.lastError ?? "no reason"
    notes.note(reason.hasPrefix("TLS handshake failed: ") ? String(reason.dropFirst(22)) : reason)
  }
}

/// Runs a body, on the client's loop, beside a server that has a list of revoked certificates, empty at first.
func withScene(_ body: @escaping @Sendable (ResumptionScene) async throws -> Void) async throws {
  let clock = ForwardClock()
  let group = try EventLoopGroup(count: 1, clock: clock)
  defer { group.stop() }
  let loop = try EventLoop()
  defer { loop.stop() }
  let identities = try TestIdentities()
  var (serverFiles, clientFiles) = (try identities.server(), try identities.client())
  serverFiles.revocationListPath = try identities.ours.revoke([])
  clientFiles.revocationListPath = serverFiles.revocationListPath
  let acceptor = GRPCAcceptor(router: Probe(loops: group).router, logger: Logger(label: "test"))
  let server = try await Server(.init(host: "127.0.0.1", port: 0, tls: serverFiles), acceptor: acceptor, group: group)
  let scene = ResumptionScene(
    server: server, clock: clock, identities: identities, serverFiles: serverFiles, clientFiles: clientFiles, loop: loop
  )
  try await loop.run { try await body(scene) }
  await server.shutdown(grace: .zero)
}
