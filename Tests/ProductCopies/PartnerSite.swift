import API
import Core
import EventFollowing
import Logging
import MainstayTesting
import PartnerService
@testable import ProductCopies
import RPCCore
import RPCTransport
import ServiceRuntime
import Storage
import Synchronization
import Testing

/// The partner service over TLS on a port of its own, which keeps its port and data over a restart; and a follower's own
/// database, which keeps its copies likewise.
final class PartnerSite: Sendable {
  private struct Running {
    let server: Server
    let database: any Database
    let loops: [Task<Void, any Error>]
  }

  let copies: ProductCopies
  private let authority: TestAuthority
  private let folder: TemporaryFolder
  private let group: EventLoopGroup
  private let port: Int
  private let ownDatabase: NotedDatabase
  private let running = Mutex<Running?>(nil)
  private let notices = Mutex<[String]>([])

  init() async throws {
    authority = try TestAuthority()
    folder = try TemporaryFolder()
    group = try EventLoopGroup(count: 2)
    port = try freePort()
    ownDatabase = NotedDatabase(try await TestDatabase.open(in: folder, "own.db"))
    try await ownDatabase.migrate(ProductCopies.migrations)
    copies = ProductCopies(database: ownDatabase)
  }

  /// Starts the partner service.
  func start() async throws {
    let database = try await TestDatabase.open(in: folder, "partner.db")
    try await database.migrate(PartnerServiceApplication.migrations)
    let service = try await PartnerServiceApplication(
      database: database, clock: SystemClock(), random: SystemRandom(), replica: "test")
    let health = HealthRegistry(services: [])
    let router = try InfrastructureServices.router(service.methodBindings, health: health, access: .checked)
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let server = try await Server(
      .init(host: "127.0.0.1", port: port, tls: authority.issue("partner", role: "service")),
      acceptor: GRPCAcceptor(router: router, logger: logger), group: group)
    let group = group
    let loops = service.background(sleep: { try await group.first.sleep(for: $0) }, onError: { print($0) })
      .map { loop in Task { try await group.first.run { try await loop() } } }
    running.withLock { $0 = Running(server: server, database: database, loops: loops) }
  }

  /// Ends the partner service, the streams of its subscribers too.
  func stop() async {
    guard let running = running.withLock({ $0.take() }) else { return }
    await running.server.shutdown(grace: .zero)
    for loop in running.loops { loop.cancel() }
    for loop in running.loops { _ = await loop.result }
    running.database.close()
  }

  /// Ends everything.
  func end() async {
    await stop()
    group.stop()
    ownDatabase.close()
  }

  /// Runs the body while a service with its own certificate follows the partner service.
  func whileFollowing<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value {
    let context = try TLSContext(try authority.issue("customer", role: "service"), role: .client)
    let (copies, group, port) = (copies, group, port)
    copies.following.follower.withLock { $0 = nil }
    let following = Task {
      try await group.first.run {
        let channel = ClientChannel(
          host: "127.0.0.1", port: port, tls: context, loop: group.first,
          maximumBackoff: ServiceEnvironment.maximumBackoff)
        try await copies.follower(channel, clock: SystemClock()).run(
          sleep: { try await group.first.sleep(for: $0) },
          onNotice: { notice in self.notices.withLock { $0.append(notice.description) } })
      }
    }
    let result: Value
    do { result = try await body() } catch {
      following.cancel()
      throw error
    }
    following.cancel()
    _ = await following.result
    return result
  }

  /// Waits until the follower has failed so many times in a row.
  func failures(_ number: Int) async -> Bool {
    await eventually(within: .seconds(30)) {
      (copies.following.follower.withLock { $0?.status.failures } ?? 0) >= number
    }
  }

  /// Waits as a program does that starts.
  func firstCatchUp(within patience: Duration) async throws {
    #expect(await eventually(within: .seconds(30)) { copies.following.follower.withLock { $0 != nil } })
    let follower = copies.following.follower.withLock { $0 }
    let group = group
    try await group.first.run {
      try await follower?.firstCatchUp(within: patience) { try await group.first.sleep(for: $0) }
    }
  }

  /// What the follower had to tell, by its first word.
  var told: [String] { notices.withLock { $0.map { $0.split { !$0.isLetter }.first.map(String.init) ?? "" } } }

  /// Records an event of a product that no program can read.
  func damage() async throws {
    let database = running.withLock { $0?.database }
    let time = Timestamp(microsecondsSinceEpoch: 1_795_000_000_000_000)
    let event = OutboxEvent(
      eventID: "evt_damaged", aggregateID: "prd_damaged", aggregateVersion: 1, type: ProductChanged.fullName,
      effectiveTime: time, recordedTime: time, actor: "newer", payload: [0xFF])
    try await database?.commit(Batch(events: [event]), lane: .interactive)
  }

  /// Waits until the copy of this product stands so.
  func copy(of code: String, becomes state: ProductCopies.State) async throws {
    while true {
      let seen = ownDatabase.commits.count
      if try await copies.state(of: code) == state { return }
      try await ownDatabase.commits.wait(after: seen)
    }
  }

  /// Puts a product on sale.
  func create(_ code: String) async throws -> Product {
    try await manager { channel in
      try await ProductServiceClient(channel: channel).createProduct(CreateProductRequest(product: product(code)))
    }
  }

  /// Takes it off sale.
  func withdraw(_ product: Product) async throws {
    _ = try await manager { channel in
      try await ProductServiceClient(channel: channel).withdrawProduct(
        WithdrawProductRequest(productID: product.productID, reason: "rates"))
    }
  }

  private func manager<Value: Sendable>(_ body: @escaping @Sendable (ClientChannel) async throws -> Value) async throws
    -> Value
  {
    let context = try TLSContext(try authority.issue("manager", role: "partner-manager"), role: .client)
    let (group, port) = (group, port)
    return try await group.first.run {
      let channel = ClientChannel(host: "127.0.0.1", port: port, tls: context, loop: group.first)
      defer { channel.close() }
      return try await body(channel)
    }
  }
}

/// A product that is sold online in 2026.
func product(_ code: String, state: ProductState = .onSale) -> Product {
  func day(_ month: Int32, _ day: Int32) -> CalendarDate { CalendarDate(year: 2026, month: month, day: day) }
  return Product(
    code: code, name: "Product \(code)", line: .wholeLife, versions: [ProductVersion(version: 1, from: day(1, 1))],
    saleWindows: [SaleWindow(channel: .online, from: day(1, 1), until: day(12, 31))], state: state)
}

/// A database that tells of each commit.
final class NotedDatabase: Database {
  let commits = AsyncSignal()
  private let database: any Database

  init(_ database: any Database) { self.database = database }

  var dialect: Migration.Dialect { database.dialect }
  var committedEvents: AsyncSignal { database.committedEvents }
  func commit(_ batch: Batch, lane: WriteLane) async throws -> BatchReceipt {
    defer { commits.raise() }
    return try await database.commit(batch, lane: lane)
  }
  func query(_ statement: Statement, access: ReadAccess) async throws -> [Row] {
    try await database.query(statement, access: access)
  }
  func migrate(_ migrations: [Migration]) async throws { try await database.migrate(migrations) }
  func close() { database.close() }
}
