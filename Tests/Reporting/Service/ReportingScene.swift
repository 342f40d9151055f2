import API
import AgentService
import Core
import CustomerService
import Logging
import MainstayTesting
import PartnerService
import ReportingDomain
import ReportingService
import RPCCore
import RPCTransport
import ServiceRuntime
import Storage
import Synchronization
import UseCases

/// A service of a test: its database, its server over TLS, and its loops, until it is stopped.
final class Running: Sendable {
  let database: any Database
  let server: Server
  private let tasks: [Task<Void, Never>]

  init(
    _ name: String, _ database: any Database, _ methods: [MethodBinding],
    _ background: [@Sendable () async throws -> Void], _ scene: ReportingScene
  ) async throws {
    let router = try InfrastructureServices.router(
      methods, health: HealthRegistry(services: []), access: .checked)
    self.database = database
    server = try await Server(
      .init(host: "127.0.0.1", port: 0, tls: try scene.authority.issue(name, role: "service")),
      acceptor: GRPCAcceptor(router: router, logger: scene.logger), group: scene.group)
    tasks = background.map { body in scene.group.first.spawn { try? await body() } }
  }

  func stop() async {
    await server.shutdown(grace: .zero)
    for task in tasks { task.cancel() }
    for task in tasks { await task.value }
    database.close()
  }
}

/// An event service that tells everything of another twice, as one may that lost track of what it has sent.
private struct StutteringEvents: EventServiceHandler {
  let channel: ClientChannel

  func subscribe(
    _ request: SubscribeRequest, _ responses: ResponseWriter<SubscribeResponse>, _ context: ServerContext
  ) async throws {
    let pages = try await EventServiceClient(channel: channel).subscribe(request)
    defer { pages.call.cancel() }
    responses.sendHeaders()
    while let page = try await pages.next() {
      for _ in 0..<2 { try await responses.write(page) }
    }
  }
}

/// The reporting service and those it follows over real sockets with mutual TLS, on files.
final class ReportingScene: Sendable {
  let authority: TestAuthority
  let group: EventLoopGroup
  let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
  private let folder: TemporaryFolder

  init(loops: Int = 2) throws {
    authority = try TestAuthority()
    group = try EventLoopGroup(count: loops)
    folder = try TemporaryFolder()
  }

  /// The customer service on a file of this name.
  func customer(_ file: String = "customer.db") async throws -> Running {
    try await service("customer", CustomerServiceApplication.self, file)
  }

  /// The agent service.
  func agent() async throws -> Running { try await service("agent", AgentServiceApplication.self, "agent.db") }

  /// The partner service.
  func partner() async throws -> Running { try await service("partner", PartnerServiceApplication.self, "partner.db") }

  private func service<Service: DatabaseService>(
    _ name: String, _ type: Service.Type, _ file: String
  ) async throws -> Running {
    let database = try await TestDatabase.open(in: folder, file)
    try await database.migrate(Service.migrations)
    let service = try await Service(database: database, clock: SystemClock(), random: SystemRandom(), replica: file)
    return try await Running(name, database, service.methodBindings, background(service.background), self)
  }

  /// The reporting service, following a customer service.
  func reporting(following customer: Running) async throws -> Running {
    try await reporting(following: [.customer: customer])
  }

  /// The reporting service on a file of this name, following these.
  func reporting(
    following services: [FollowedService: Running], _ file: String = "reporting.db", clock: any Clock = SystemClock()
  ) async throws -> Running {
    let database = try await TestDatabase.open(in: folder, file)
    try await database.migrate(ReportingServiceApplication.migrations)
    var upstreams: [FollowedService: any RPCCore.Channel] = [:]
    for (name, service) in services {
      upstreams[name] = try await channel(to: service, as: "reporting", role: "service")
    }
    let service = ReportingServiceApplication(
      database: database, upstreams: upstreams, clock: clock, random: SystemRandom())
    let loop = group.first
    let background = service.background(
      sleep: { try await loop.sleep(for: $0) }, onError: { _ in }, onNotice: { _, _ in })
    return try await Running("reporting", database, service.methodBindings, background, self)
  }

  /// A stand-in for a service that tells its events twice. Only with one event loop, which both ends share.
  func stuttering(_ service: Running) async throws -> Running {
    let channel = try await channel(to: service, as: "reporting", role: "service")
    let events = StutteringEvents(channel: channel)
    let database = try await TestDatabase.open(in: folder, "stutter-\(service.server.port).db")
    return try await Running("stutter", database, events.methodBindings, [], self)
  }

  private func background(
    _ make: (
      @escaping @Sendable (Duration) async throws -> Void, @escaping @Sendable (any Error) -> Void
    ) -> [@Sendable () async throws -> Void]
  ) -> [@Sendable () async throws -> Void] {
    let loop = group.first
    return make({ try await loop.sleep(for: $0) }, { _ in })
  }

  private func channel(to service: Running, as name: String, role: String) async throws -> ClientChannel {
    let context = try TLSContext(try authority.issue(name, role: role, hosts: []), role: .client)
    let (loop, port) = (group.first, service.server.port)
    return try await loop.run { ClientChannel(host: "127.0.0.1", port: port, tls: context, loop: loop) }
  }

  /// Does this with a channel to a service.
  func call<Value: Sendable>(
    _ service: Running, as role: String = "administrator",
    _ body: @escaping @Sendable (ClientChannel) async throws -> Value
  ) async throws -> Value {
    let channel = try await channel(to: service, as: "caller-\(role)", role: role)
    return try await group.first.run {
      let value = try await body(channel)
      channel.close()
      return value
    }
  }

  /// Imports policies; each holder has a key of its own unless the policy says otherwise.
  func importPolicies(_ policies: [Policy], into customer: Running) async throws {
    let rows = policies.enumerated().map { ImportPolicyRow(line: Int64($0.offset) + 2, policy: $0.element) }
    let rejected = try await call(customer) { channel in
      let call: StreamingCall<ImportPoliciesRequest, ImportPoliciesResponse> = try await channel.streaming(
        PolicyServiceMethods.importPolicies, CallOptions())
      try await call.write(ImportPoliciesRequest(source: "core", rows: rows))
      call.finishSending()
      var rejected: [RejectedRow] = []
      while let reply = try await call.next() { rejected += reply.rejected }
      return rejected
    }
    if !rejected.isEmpty { throw RPCError(.internal, "\(rejected)") }
  }

  func importPremiums(_ rows: [ImportPremiumRow], into customer: Running) async throws -> ImportPremiumsResponse {
    try await call(customer) { channel in
      let call: StreamingCall<ImportPremiumsRequest, ImportPremiumsResponse> = try await channel.streaming(
        PolicyServiceMethods.importPremiums, CallOptions())
      try await call.write(ImportPremiumsRequest(source: "core", rows: rows))
      call.finishSending()
      return try await call.next() ?? ImportPremiumsResponse()
    }
  }

  /// Waits until the reporting service has applied so many events of a service and nothing is left.
  func caughtUp(_ reporting: Running, _ service: FollowedService = .customer, events: Int64) async throws -> Bool {
    try await eventually(within: .seconds(30)) {
      let lag = try await self.lag(reporting, service)
      return lag.caughtUp && lag.appliedEvents == events
    }
  }

  func lag(_ reporting: Running, _ service: FollowedService = .customer) async throws -> SourceLag {
    try await call(reporting) { channel in
      try await ReportingServiceClient(channel: channel).getLag(GetLagRequest()).lags
        .first { $0.service == service.rawValue } ?? SourceLag()
    }
  }

  /// A report's rows as text.
  func report(_ reporting: Running, _ request: RunReportRequest) async throws -> [String] {
    try await call(reporting) { channel in
      let reply = try await ReportingServiceClient(channel: channel).runReport(request)
      return reply.rows.map { row in
        row.cells.map { cell in
          switch cell.value {
          case .text(let text)?, .decimal(let text)?: text
          case .integer(let number)?: "\(number)"
          case nil: ""
          }
        }.joined(separator: ",")
      }
    }
  }
}
