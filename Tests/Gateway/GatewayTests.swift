import API
import Core
import Gateway
import Logging
import MainstayTesting
import RPCCore
import RPCTransport
import ServiceRuntime
import Testing

/// A gateway before one service, both over real sockets with mutual TLS, on event loops of their own.
struct GatewayScene {
  let authority: TestAuthority
  let group: EventLoopGroup
  /// The gateway's own loop: its clock may run as a test wants.
  let gatewayGroup: EventLoopGroup
  let notes: AsyncStream<String>
  let service: Server
  let gateway: Server
  private let background: [Task<Void, Never>]

  /// `settings`: more lines of the gateway's file. `logger` is that of the service too.
  init(
    access: AccessMode = .checked, gatewayClock: any Clock = SystemClock(), settings: String = "",
    logger: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, slowMilliseconds: Int = 0
  ) async throws {
    let authority = try TestAuthority()
    let group = try EventLoopGroup(count: 2)
    let gatewayGroup = try EventLoopGroup(count: 1, clock: gatewayClock)
    let (notes, noting) = AsyncStream<String>.makeStream()
    let slowCalls = SlowCallLog(milliseconds: slowMilliseconds, logger: logger, clock: SystemClock())
    let router = try InfrastructureServices.router(
      WhoAmI(loops: group, notes: noting).methodBindings + Slow(loops: group).methodBindings,
      health: HealthRegistry.serving(["mainstay.platform.v1.EventService"]), access: .checked)
    service = try await Server(
      .init(host: "127.0.0.1", port: 0, tls: authority.issue("customer", role: "service")),
      acceptor: GRPCAcceptor(router: router, logger: logger, slowCalls: slowCalls), group: group)
    let folder = authority.folder
    let file = try folder.write(
      "gateway.yaml",
      """
      listen: 127.0.0.1:0
      tls: {certificate: gateway.pem, private_key: gateway-key.pem, authority: ca.pem, client_verification: optional}
      upstreams: {customer: "127.0.0.1:\(service.port)", partner: "127.0.0.1:1"}
      \(settings)
      """)
    let tls = try authority.issue("gateway", role: "service", verification: .optional)
    let environment = ServiceEnvironment(
      configuration: try Configuration(
        arguments: ["--config", file], environment: [:], keys: ConfigurationKey.common + GatewayApplication.keys),
      group: gatewayGroup, logger: logger, clock: SystemClock(), random: SystemRandom(), access: access,
      slowCalls: slowCalls)
    let application = try await GatewayApplication.start(environment)
    guard case .streams(let make) = application.serving else { throw RPCError(.internal, "the gateway serves streams") }
    gateway = try await Server(
      .init(host: "127.0.0.1", port: 0, tls: tls), acceptor: make(HealthRegistry.serving([])), group: gatewayGroup)
    background = application.background.map { body in
      gatewayGroup.first.spawn { do { try await body() } catch {} }
    }
    self.authority = authority
    self.group = group
    self.gatewayGroup = gatewayGroup
    self.notes = notes
  }

  /// Does this with a channel to the gateway, as the owner of a certificate; nil has none.
  func call<Value: Sendable>(
    as role: String?, _ body: @escaping @Sendable (ClientChannel) async throws -> Value
  ) async throws -> Value {
    let tls = try role.map { try authority.issue("caller-\($0)", role: $0, hosts: []) } ?? authority.anonymous
    let context = try TLSContext(tls, role: .client)
    let (port, group) = (gateway.port, group)
    return try await group.first.run {
      try await body(ClientChannel(host: "localhost", port: port, tls: context, loop: group.first))
    }
  }

  func stop() async {
    await gateway.shutdown(grace: .zero)
    await service.shutdown(grace: .zero)
    for task in background {
      task.cancel()
      _ = await task.result
    }
    gatewayGroup.stop()
    group.stop()
  }
}

extension HealthRegistry {
  static func serving(_ services: [String]) -> HealthRegistry {
    let registry = HealthRegistry(services: services)
    registry.isServing = true
    return registry
  }
}

/// Answers every subscription with one event whose actor is the caller that the service sees, and whose version is what
/// is left of the time in milliseconds. With the metadata "x-hang" it answers nothing, and notes when it is cancelled.
struct WhoAmI: EventServiceHandler {
  let loops: EventLoopGroup
  let notes: AsyncStream<String>.Continuation

  func subscribe(
    _ request: SubscribeRequest, _ responses: ResponseWriter<SubscribeResponse>, _ context: ServerContext
  ) async throws {
    if context.metadata.first("x-hang") != nil { try await hang() }
    var event = Event()
    let caller = context.caller
    event.aggregateID = context.outgoingOptions.metadata.first("traceparent") ?? ""
    event.eventID = context.outgoingOptions.metadata.first("tracestate") ?? ""
    event.actor =
      "\(caller?.name ?? "-") \((caller?.roles ?? []).sorted().joined(separator: ",")) \(caller?.via ?? "-")"
    if let deadline = context.deadline {
      let now = SystemClock().monotonicNanoseconds()
      event.aggregateVersion = Int64(deadline.remainingNanoseconds(at: now) / 1_000_000)
    }
    var response = SubscribeResponse()
    response.events = [event]
    try await responses.write(response)
  }

  private func hang() async throws {
    notes.yield("started")
    do {
      try await loops.current?.sleep(for: .seconds(3_600))
    } catch {
      notes.yield("cancelled")
      throw error
    }
  }
}

/// Takes five milliseconds for each answer.
struct Slow: EventLogServiceHandler {
  let loops: EventLoopGroup

  func getEventLog(_ request: GetEventLogRequest, _ context: ServerContext) async throws -> EventLogState {
    try await loops.current?.sleep(for: .milliseconds(5))
    return EventLogState()
  }
}

@Suite(.timeLimit(.minutes(10))) struct GatewayTests {
  private func subscribe(_ channel: ClientChannel, _ metadata: [(String, String)]) async throws -> String {
    var options = CallOptions(timeout: .seconds(20))
    for (key, value) in metadata { options.metadata.add(key, value) }
    let replies = try await EventServiceClient(channel: channel).subscribe(SubscribeRequest(), options: options)
    let actor = try await replies.next()?.events.first?.actor ?? ""
    #expect(try await replies.next() == nil)
    return actor
  }

  private func code(_ body: () async throws -> some Sendable) async -> StatusCode {
    do {
      _ = try await body()
      return .ok
    } catch { return RPCError(converting: error).code }
  }

  @Test func forwardedAndRefusedCallsAreCountedWithTheirStatus() async throws {
    let scene = try await GatewayScene()
    _ = try await scene.call(as: "administrator") { try await subscribe($0, [("mainstay-service", "customer")]) }
    let denied = await code {
      try await scene.call(as: nil) { try await subscribe($0, [("mainstay-service", "customer")]) }
    }
    #expect(denied == .unauthenticated)
    let figures = try await scene.gatewayGroup.serverMetrics()
    let counted = figures.first { $0.method == "mainstay.platform.v1.EventService/Subscribe" }
    #expect(counted?.started == 2 && counted?.ended[StatusCode.ok.rawValue]?.duration.count == 1)
    #expect(counted?.ended[StatusCode.unauthenticated.rawValue]?.duration.count == 1)
    await scene.stop()
  }

  @Test func theServiceSeesTheCallerThatTheGatewayHasVerified() async throws {
    let scene = try await GatewayScene()
    let actor = try await scene.call(as: "administrator") {
      try await subscribe($0, [("mainstay-service", "customer")])
    }
    #expect(actor == "caller-administrator administrator gateway")
    await scene.stop()
  }

  @Test func aForgedCallerIsRemoved() async throws {
    let scene = try await GatewayScene()
    let forged = [
      ("mainstay-service", "customer"), ("mainstay-caller", "root"), ("mainstay-caller-role", "administrator"),
    ]
    let actor = try await scene.call(as: "auditor") { try await subscribe($0, forged) }
    #expect(actor == "caller-auditor auditor gateway")
    await scene.stop()
  }

  @Test func aCallerWithoutTheRoleIsDeniedBeforeTheService() async throws {
    let scene = try await GatewayScene()
    let denied = await code {
      try await scene.call(as: "agent") { try await subscribe($0, [("mainstay-service", "customer")]) }
    }
    #expect(denied == .permissionDenied)
    let unknown = await code {
      try await scene.call(as: nil) { try await subscribe($0, [("mainstay-service", "customer")]) }
    }
    #expect(unknown == .unauthenticated)
    await scene.stop()
  }

  @Test func anUnknownMethodIsUnimplementedForEverybody() async throws {
    let scene = try await GatewayScene()
    for (service, name) in [("mainstay.customer.v1.CustomerService", "NoSuch"), ("mainstay.nowhere.v1.X", "Y")] {
      let method = MethodDescriptor(service: service, name: name, kind: .unary)
      let answer = await code {
        try await scene.call(as: nil) { channel in
          try await channel.unary(method, framed: [0, 0, 0, 0, 0], CallOptions(timeout: .seconds(20))).message
        }
      }
      #expect(answer == .unimplemented)
    }
    await scene.stop()
  }

  @Test func whatEveryServiceHasNeedsTheServicesName() async throws {
    let scene = try await GatewayScene()
    #expect(await code { try await scene.call(as: "auditor") { try await subscribe($0, []) } } == .invalidArgument)
    let nobody = await code {
      try await scene.call(as: "auditor") { try await subscribe($0, [("mainstay-service", "nobody")]) }
    }
    #expect(nobody == .unimplemented)
    await scene.stop()
  }

  @Test func aServiceThatIsDownIsUnavailableAndTheOthersAreNot() async throws {
    let scene = try await GatewayScene()
    let down = await code {
      try await scene.call(as: "auditor") { try await subscribe($0, [("mainstay-service", "partner")]) }
    }
    #expect(down == .unavailable)
    let up = await code {
      try await scene.call(as: "auditor") { try await subscribe($0, [("mainstay-service", "customer")]) }
    }
    #expect(up == .ok)
    await scene.stop()
  }

  @Test func healthIsTheGatewaysOwnOrThatOfTheServiceNamed() async throws {
    let scene = try await GatewayScene()
    let own = try await scene.call(as: nil) {
      try await HealthClient(channel: $0).check(HealthCheckRequest(), options: CallOptions(timeout: .seconds(20)))
        .status
    }
    #expect(own == .serving)
    let service = try await scene.call(as: nil) { channel in
      var options = CallOptions(timeout: .seconds(20))
      options.metadata.add("mainstay-service", "customer")
      var request = HealthCheckRequest()
      request.service = "mainstay.platform.v1.EventService"
      return try await HealthClient(channel: channel).check(request, options: options).status
    }
    #expect(service == .serving)
    await scene.stop()
  }
}
