import ArgumentParser
import Core
import Glibc
import Logging
import RPCCore
import RPCTransport

/// mainstay-interop server.
struct ServerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "server", abstract: "Serves grpc.testing.TestService over TLS until it is ended.",
    discussion: "Example: mainstay-interop server --port 8443 --cert server.pem --key server-key.pem")

  @Option(help: "Port on 127.0.0.1; 0 takes a free one, which is printed.") var port = 0
  @Option(help: "Certificate chain, PEM.") var cert: String
  @Option(help: "Private key, PEM.") var key: String
  @Option(help: "Authority of client certificates, PEM; without it clients need none.") var ca: String?
  @Option(help: "Event loops.") var loops = 1
  @Option(help: "Microseconds that an idle loop looks for calls before it sleeps, while they come that fast; 0: never.")
  var idlePoll = 100
  @Option(help: "Seconds that TLS and the first bytes of HTTP/2 may take; as services grant if left out.")
  var handshakeSeconds: Int?
  @Option(help: "Seconds that a block of headers may take; as services grant if left out.") var headerSeconds: Int?
  @Option(help: "Seconds that a client may take nothing, or stop in a message; as services grant if left out.")
  var stallSeconds: Int?
  @Option(
    help: "Microseconds of CPU that each unary call burns before it answers, to be a service that can be overrun.")
  var burnMicroseconds = 0

  func validate() throws {
    guard (0...1_000_000).contains(burnMicroseconds) else {
      throw ValidationError("--burn-microseconds is from 0 to 1000000")
    }
    guard [handshakeSeconds, headerSeconds, stallSeconds].allSatisfy({ ($0 ?? 1) > 0 }) else {
      throw ValidationError("--handshake-seconds, --header-seconds and --stall-seconds are at least 1")
    }
  }

  func run() async throws {
    let signals = try SignalWatch([SIGTERM, SIGINT])
    ProcessMemory.keepForMessages()
    let group = try EventLoopGroup(count: loops, idlePoll: .microseconds(idlePoll))
    signals.start(on: group.first)
    let tls = TLSConfiguration(
      authorityPath: ca ?? cert, certificateChainPath: cert, privateKeyPath: key,
      clientVerification: ca == nil ? .none : .required)
    let router = Router(
      TestService(loops: group, burden: Burden(microseconds: burnMicroseconds, SystemClock())).methodBindings)
    let acceptor = GRPCAcceptor(router: router, logger: Logger(label: "mainstay-interop"), fallback: RootPage())
    let server = try await Server(
      .init(host: "127.0.0.1", port: port, tls: tls, connectionLimits: limits), acceptor: acceptor, group: group)
    print("listening on \(server.host):\(server.port)")
    fflush(nil)  // whoever started us through a pipe waits for this line
    await signals.next()
    await server.shutdown(grace: .seconds(5))
  }

  private var limits: ConnectionLimits {
    var limits = ConnectionLimits.server
    if let handshakeSeconds { limits.handshakeTime = .seconds(handshakeSeconds) }
    if let headerSeconds { limits.headerTime = .seconds(headerSeconds) }
    if let stallSeconds { limits.stallTime = .seconds(stallSeconds) }
    return limits
  }
}
