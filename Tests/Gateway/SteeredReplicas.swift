import API
import Core
import Gateway
import Logging
import MainstayTesting
import RPCCore
import RPCTransport
import ServiceRuntime
import Synchronization
import Testing

/// A replica whose answers a test steers.
final class SteeredReplica: Sendable {
  private struct State {
    var calls = 0
    var ended = 0
    var code = StatusCode.ok
    var isHanging = false
  }

  static let method = MethodDescriptor(service: "grpc.testing.TestService", name: "EmptyCall", kind: .unary)

  let health = HealthRegistry.serving([])
  private let state = Mutex(State())
  private let loop: EventLoop

  init(loop: EventLoop) { self.loop = loop }

  /// Calls that came.
  var calls: Int { state.withLock { $0.calls } }

  /// Those that came to an end, by an answer or because they were cancelled.
  var ended: Int { state.withLock { $0.ended } }

  /// What it answers from now on.
  func answer(_ code: StatusCode) { state.withLock { $0.code = code } }

  /// Whether calls that come hang, until they are cancelled or it is told that they do not.
  func hang(_ isHanging: Bool) { state.withLock { $0.isHanging = isHanging } }

  var bindings: [MethodBinding] {
    [MethodBinding(SteeredReplica.method, answer)]
  }

  nonisolated(nonsending) private func answer(_ call: ServerCall) async throws {
    _ = try call.receiveOnly()
    state.withLock { $0.calls += 1 }
    defer { state.withLock { $0.ended += 1 } }
    while state.withLock({ $0.isHanging }) { try await loop.sleep(for: .milliseconds(5)) }
    let code = state.withLock { $0.code }
    guard code == .ok else { throw RPCError(code, "as the test wants it") }
    try await call.send(framed: [0, 0, 0, 0, 0])
  }
}

/// Replicas of one service behind a gateway, over real sockets, with the settings of a test.
struct SteeredSite {
  let replicas: [SteeredReplica]
  let servers: [Server]
  let gateway: Server
  let authority: TestAuthority
  let groups: [EventLoopGroup]
  private let application: ServiceApplication

  /// `asked` says whether the replicas can be asked for their health.
  init(_ count: Int, settings: String, asked: Bool = true) async throws {
    let authority = try TestAuthority()
    let group = try EventLoopGroup(count: 1)
    let gatewayGroup = try EventLoopGroup(count: 1)
    groups = [group, gatewayGroup]
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let tls = try authority.issue("gateway", role: "service", verification: .optional)
    var servers: [Server] = []
    replicas = (0..<count).map { _ in SteeredReplica(loop: group.first) }
    for replica in replicas {
      let router =
        asked
        ? try InfrastructureServices.router(replica.bindings, health: replica.health, access: .public)
        : Router(replica.bindings)
      servers.append(
        try await Server(
          .init(host: "127.0.0.1", port: 0, tls: tls), acceptor: GRPCAcceptor(router: router, logger: logger),
          group: group))
    }
    self.servers = servers
    let addresses = servers.map { "127.0.0.1:\($0.port)" }.joined(separator: ",")
    let file = try authority.folder.write(
      "gateway.yaml",
      """
      listen: 127.0.0.1:0
      tls: {certificate: gateway.pem, private_key: gateway-key.pem, authority: ca.pem, client_verification: optional}
      upstreams: {interop: "\(addresses)"}
      routes: {grpc.testing: {upstream: interop, access: public}}
      retries: {attempts: 1}
      \(settings)
      """)
    let environment = ServiceEnvironment(
      configuration: try Configuration(
        arguments: ["--config", file], environment: [:], keys: ConfigurationKey.common + GatewayApplication.keys),
      group: gatewayGroup, logger: logger, clock: SystemClock(), random: SystemRandom(), access: .checked)
    application = try await GatewayApplication.start(environment)
    guard case .streams(let make) = application.serving else { throw RPCError(.internal, "the gateway serves streams") }
    gateway = try await Server(
      .init(host: "127.0.0.1", port: 0, tls: tls), acceptor: make(HealthRegistry.serving([])), group: gatewayGroup)
    self.authority = authority
  }

  /// Does this with a channel to the gateway that makes no attempt again.
  func call<Value: Sendable>(
    _ body: @escaping @Sendable (ClientChannel) async throws -> Value
  ) async throws -> Value {
    let context = try TLSContext(authority.anonymous, role: .client)
    let (port, loop) = (gateway.port, groups[0].first)
    return try await loop.run {
      let pool = ConnectionPool([ConnectionTarget(host: "127.0.0.1", port: port)], loop: loop, context: context)
      return try await body(ClientChannel(pool, loop: loop, retrying: nil))
    }
  }

  /// The codes of so many calls, one after the other.
  func answers(_ count: Int, to method: MethodDescriptor = SteeredReplica.method) async throws -> [StatusCode] {
    try await call { channel in
      var codes: [StatusCode] = []
      for _ in 0..<count { codes.append(await code(channel, method)) }
      return codes
    }
  }

  /// How many of so many calls came to each replica.
  func shares(of count: Int) async throws -> [Int] {
    let before = replicas.map(\.calls)
    #expect(try await answers(count) == Array(repeating: .ok, count: count))
    return zip(replicas, before).map { $0.calls - $1 }
  }

  /// A figure by its name and replica or, of the upstream, without.
  func figure(_ name: String, ofReplica index: Int? = nil) async throws -> Double? {
    try await application.gauges().first {
      $0.name == name
        && (index.map { $0 < servers.count ? "127.0.0.1:\(servers[$0].port)" : "" } == $0.labels["replica"])
    }?.value
  }

  func stop() async {
    await gateway.shutdown(grace: .zero)
    for server in servers { await server.shutdown(grace: .zero) }
    for group in groups { group.stop() }
  }
}

/// The status of one call.
func code(_ channel: ClientChannel, _ method: MethodDescriptor) async -> StatusCode {
  do {
    _ = try await channel.unary(method, framed: [0, 0, 0, 0, 0], CallOptions(timeout: .seconds(600))).message
    return .ok
  } catch { return error.code }
}
