import API
import Core
import CustomerService
import Logging
import MainstayTesting
import ReportingDomain
import ReportingService
import RPCCore
import RPCTransport
import ServiceRuntime
import Storage
import StorageSQLite
import Synchronization
import UseCases

/// A service of a test: its database, its server over TLS, and its loops, until it is stopped.
final class Running: Sendable {
  let database: SQLiteDatabase
  let server: Server
  private let tasks: [Task<Void, Never>]

  init(
    _ name: String, _ database: SQLiteDatabase, _ methods: [MethodBinding],
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

/// Customer and reporting service over real sockets with mutual TLS, on files.
final class ReportingScene: Sendable {
  let authority: TestAuthority
  let group: EventLoopGroup
  let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
  private let folder: TemporaryFolder

  init() throws {
    authority = try TestAuthority()
    group = try EventLoopGroup(count: 2)
    folder = try TemporaryFolder()
  }

  /// The customer service on a file of this name.
  func customer(_ file: String = "customer.db") async throws -> Running {
    let database = try SQLiteDatabase(path: folder.file(file), clock: SystemClock())
    try await database.migrate(CustomerServiceApplication.migrations)
    let service = try await CustomerServiceApplication(
      database: database, clock: SystemClock(), random: SystemRandom(), replica: file)
    return try await Running("customer", database, service.methodBindings, background(service.background), self)
  }

  /// The reporting service, following a customer service.
  func reporting(following customer: Running) async throws -> Running {
    let database = try SQLiteDatabase(path: folder.file("reporting.db"), clock: SystemClock())
    try await database.migrate(ReportingServiceApplication.migrations)
    let channel = try await channel(to: customer, as: "reporting", role: "service")
    let service = ReportingServiceApplication(
      database: database, upstreams: [.customer: channel], clock: SystemClock())
    return try await Running("reporting", database, service.methodBindings, background(service.background), self)
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

  /// Waits until the reporting service has applied so many events and nothing is left.
  func caughtUp(_ reporting: Running, events: Int64) async throws -> Bool {
    try await eventually(within: .seconds(30)) {
      let lag = try await self.lag(reporting)
      return lag.caughtUp && lag.appliedEvents == events
    }
  }

  func lag(_ reporting: Running) async throws -> SourceLag {
    try await call(reporting) { channel in
      try await ReportingServiceClient(channel: channel).getLag(GetLagRequest()).lags.first ?? SourceLag()
    }
  }

  /// A report's rows as text.
  func report(_ reporting: Running, _ request: RunReportRequest) async throws -> [String] {
    try await call(reporting) { channel in
      try await ReportingServiceClient(channel: channel).runReport(request).rows.map { row in
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
