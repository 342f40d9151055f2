import Core
import Protobuf
import RPCCore
import Storage
import Synchronization
import UseCases

/// A clock that goes on by a millisecond with each look, and further by hand.
public final class TestClock: Clock {
  private let microseconds = Atomic<Int64>(1_795_000_000_000_000)

  /// Its time at first.
  public init() {}

  public func now() -> Timestamp {
    Timestamp(microsecondsSinceEpoch: microseconds.add(1_000, ordering: .relaxed).newValue)
  }
  public func monotonicNanoseconds() -> UInt64 { UInt64(now().microsecondsSinceEpoch) * 1_000 }
  /// Lets time pass.
  public func advance(seconds: Int64) { microseconds.add(seconds * 1_000_000, ordering: .relaxed) }
}

/// A service on a database of its own, called in process through its bindings, in bytes as a transport does.
public final class InProcessService<Service: DatabaseService>: Sendable {
  /// Where its database lies, on SQLite.
  public let folder: TemporaryFolder
  /// Its time, unless another clock was given.
  public let clock = TestClock()
  /// Its database.
  public let database: any Database
  /// The service.
  public let application: Service
  private let router: Router

  /// A service in a fresh folder, whose database also has these tables.
  public init(clock: (any Clock)? = nil, beside migrations: [Migration] = []) async throws {
    folder = try TemporaryFolder()
    database = try await TestDatabase.open(in: folder)
    try await database.migrate(Service.migrations + migrations)
    application = try await Service(
      database: database, clock: clock ?? self.clock, random: SystemRandom(), replica: "test")
    router = Router(application.methodBindings)
  }

  deinit { database.close() }

  /// The same service once more, on the same data, where something happens before each query that `before` is told of.
  public func beside(_ before: @escaping @Sendable (_ sql: String) async throws -> Void) async throws -> Router {
    let watched = WatchedDatabase(database: database, before: before)
    return Router(
      try await Service(database: watched, clock: clock, random: SystemRandom(), replica: "test").methodBindings)
  }

  /// Runs the body while the service's background loops run.
  public func whileRunning<Result: Sendable>(_ body: @Sendable @escaping () async throws -> Result) async throws
    -> Result
  {
    let loops = application.background(sleep: { try await Task.sleep(for: $0) }, onError: { print($0) })
      .map { loop in Task { try await loop() } }
    defer { for loop in loops { loop.cancel() } }
    return try await body()
  }

  /// One request, one reply.
  public func unary<Request: Message, Response: Message>(
    _ method: MethodDescriptor, _ request: Request, caller: String = "tester", router: Router? = nil
  ) async throws -> Response {
    let replies: [Response] = try await streaming(method, [request], caller: caller, router: router)
    guard let reply = replies.first, replies.count == 1 else { throw RPCError(.internal, "\(replies.count) replies") }
    return reply
  }

  /// Any number of requests, then all replies.
  public func streaming<Request: Message, Response: Message>(
    _ method: MethodDescriptor, _ requests: [Request], caller: String = "tester", router: Router? = nil
  ) async throws -> [Response] {
    let exchange = Exchange()
    try await run(method, requests, exchange, caller: caller, router: router)
    return try exchange.messages.map { try Response(serialized: $0) }
  }

  /// Runs a call to its end; its replies go to the exchange as they come.
  public func run<Request: Message>(
    _ method: MethodDescriptor, _ requests: [Request], _ exchange: Exchange, caller: String = "tester",
    router: Router? = nil
  ) async throws {
    let router = router ?? self.router
    guard let binding = router.binding(path: method.path) else { throw router.unimplemented(path: method.path) }
    let context = ServerContext(
      method: method, metadata: Metadata(), deadline: nil, peer: Peer(address: "in-process", certificate: nil))
    context.caller = Caller(name: caller, roles: ["administrator"])
    let call = ServerCall(method: method, context: context, transport: exchange)
    for request in requests { call.deliver(try request.serialized()) }
    call.deliverEnd()
    do { try await binding.handle(call) } catch {
      let converted = RPCError(converting: error)
      if converted.code == .internal { print("cause:", converted.cause ?? "none") }
      throw converted
    }
  }

  /// One number that a query gives.
  public func number(_ sql: String) async throws -> Int64 {
    try await database.row(Statement(sql), access: .scan)?.integer(0) ?? -1
  }

  /// How the database would find what a query asks for, one line per step.
  public func plan(_ sql: String) async throws -> [String] {
    try await database.query(Statement("EXPLAIN QUERY PLAN " + sql), access: .scan).map { try $0.text(3) }
  }

  /// All that happened so far, in order, from the outbox.
  public func outbox() async throws -> [(aggregate: String, version: Int64, type: String, payload: [UInt8])] {
    try await database.query(
      Statement(
        "SELECT aggregate_id, aggregate_version, type, payload FROM event ORDER BY aggregate_id, aggregate_version"),
      access: .scan
    ).map { (try $0.text(0), try $0.integer(1), try $0.text(2), try $0.blob(3)) }
  }
}

/// A database that lets something happen between a use case's steps: how a race is made to come out one way.
struct WatchedDatabase: Database {
  let database: any Database
  let before: @Sendable (String) async throws -> Void

  var dialect: Migration.Dialect { database.dialect }
  var committedEvents: AsyncSignal { database.committedEvents }
  func commit(_ batch: Batch, lane: WriteLane) async throws -> BatchReceipt {
    try await database.commit(batch, lane: lane)
  }
  func query(_ statement: Statement, access: ReadAccess) async throws -> [Row] {
    try await before(statement.sql)
    return try await database.query(statement, access: access)
  }
  func migrate(_ migrations: [Migration]) async throws { try await database.migrate(migrations) }
  func close() { database.close() }
}
