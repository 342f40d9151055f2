import Core
import Glibc
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

/// A server, and what its clients need.
struct ResumptionScene: Sendable {
  let server: Server
  /// The server's.
  let clock: ForwardClock
  let clientClock: ForwardClock
  let authority: TestAuthority
  let serverFiles: TLSConfiguration
  let clientFiles: TLSConfiguration
  let loop: EventLoop

  /// A client that has no session yet.
  func client() throws -> ResumingClient { try ResumingClient(port: server.port, files: clientFiles, loop: loop) }
}

/// Makes one connection after the other to the same address.
final class ResumingClient: SubchannelOwner {
  /// What it shows and trusts, read again only when it is told.
  let certificates: TLSCertificates
  private let subchannel: Subchannel
  private let notes = Notes()

  init(port: Int, files: TLSConfiguration, loop: EventLoop) throws {
    var configuration = ConnectionPool.Configuration()
    configuration.connectTimeout = .seconds(60)
    certificates = try TLSCertificates(files, role: .client, clock: loop.clock)
    subchannel = Subchannel(
      target: ConnectionTarget(host: "127.0.0.1", port: port),
      address: SocketAddress.resolve(host: "127.0.0.1", port: port)[0], isExtra: false, loop: loop,
      certificates: certificates, configuration: configuration)
    subchannel.owner = self
  }

  /// Whether the connection stands.
  var isConnected: Bool { subchannel.http2 != nil }

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

/// One handshake on a socket that waits, with the server's first bytes, among which are its tickets: "full" or "resumed", or why
/// it failed.
func handshake(port: Int, _ context: TLSContext, serverName: String, session: TLSSession) -> String {
  let address = SocketAddress.resolve(host: "127.0.0.1", port: port)[0]
  let descriptor = socket(address.family, Int32(SOCK_STREAM.rawValue), 0)
  let space = UnsafeMutableRawBufferPointer.allocate(byteCount: 16_640, alignment: 1)
  defer {
    close(descriptor)
    space.deallocate()
  }
  guard address.withPointer({ connect(descriptor, $0, $1) }) == 0,
    let stream = TLSStream(
      context, descriptor: descriptor, serverName: serverName, session: session, now: SystemClock().now(),
      space: space)
  else { return "no connection" }
  let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 1_024, alignment: 1)
  defer { bytes.deallocate() }
  if case .failed(let reason) = stream.handshake() { return reason }
  guard case .done = stream.read(bytes) else { return "nothing came" }
  // OpenSSL resumes no session of a connection that was cut.
  stream.shutdown()
  return stream.isResumed ? "resumed" : "full"
}

/// Runs a body, on the client's loop, beside a server. Both have a list of revoked certificates, empty at first, unless theirs are
/// made otherwise from an authority.
func withScene(
  _ authority: TestAuthority? = nil, client: (TestAuthority) throws -> TLSConfiguration = listed("client", hosts: []),
  server: (TestAuthority) throws -> TLSConfiguration = listed("server", hosts: ["localhost", "127.0.0.1"]),
  _ body: @escaping @Sendable (ResumptionScene) async throws -> Void
) async throws {
  let (clock, clientClock) = (ForwardClock(), ForwardClock())
  let group = try EventLoopGroup(count: 1, clock: clock)
  defer { group.stop() }
  let loop = try EventLoop(clock: clientClock)
  defer { loop.stop() }
  let authority = try authority ?? TestAuthority()
  let (serverFiles, clientFiles) = (try server(authority), try client(authority))
  let acceptor = GRPCAcceptor(router: Probe(loops: group).router, logger: Logger(label: "test"))
  var configuration = Server.Configuration(host: "127.0.0.1", port: 0, tls: serverFiles)
  // Read again only when it is told.
  configuration.certificateInterval = .seconds(86_400)
  let server = try await Server(configuration, acceptor: acceptor, group: group)
  let scene = ResumptionScene(
    server: server, clock: clock, clientClock: clientClock, authority: authority, serverFiles: serverFiles,
    clientFiles: clientFiles, loop: loop)
  try await loop.run { try await body(scene) }
  await server.shutdown(grace: .zero)
}

/// Files with the authority's list, made empty if there is none.
func listed(_ name: String, hosts: [String]) -> (TestAuthority) throws -> TLSConfiguration {
  { authority in
    var files = try authority.issue(name, role: "tester", hosts: hosts)
    let list = authority.folder.file("revoked.pem")
    files.revocationListPath = access(list, R_OK) == 0 ? list : try authority.revoke([])
    return files
  }
}

/// Files without a list.
func unlisted(_ name: String, hosts: [String]) -> (TestAuthority) throws -> TLSConfiguration {
  { try $0.issue(name, role: "tester", hosts: hosts) }
}
