import API
import Core
import CustomerService
import MainstayTesting
import Protobuf
import RPCCore
import Storage
import StorageSQLite
import Synchronization

/// A clock that goes on by a millisecond with each look, and further by hand.
final class TestClock: Clock {
  private let microseconds = Atomic<Int64>(1_795_000_000_000_000)

  func now() -> Timestamp {
    Timestamp(microsecondsSinceEpoch: microseconds.add(1_000, ordering: .relaxed).newValue)
  }
  func monotonicNanoseconds() -> UInt64 { UInt64(now().microsecondsSinceEpoch) * 1_000 }
  func advance(seconds: Int64) { microseconds.add(seconds * 1_000_000, ordering: .relaxed) }
}

/// The customer service on a database of its own, called in process through its bindings, in bytes as a transport does.
final class TestService: Sendable {
  let folder: TemporaryFolder
  let clock = TestClock()
  let database: SQLiteDatabase
  let application: CustomerServiceApplication
  let router: Router

  init(clock: (any Clock)? = nil) async throws {
    folder = try TemporaryFolder()
    database = try SQLiteDatabase(path: folder.file("store.db"), clock: SystemClock())
    try await database.migrate(CustomerServiceApplication.migrations)
    application = try await CustomerServiceApplication(
      database: database, clock: clock ?? self.clock, random: SystemRandom())
    router = Router(application.methodBindings)
  }

  deinit { database.close() }

  /// The same service once more, on the same data, where something happens before each query that `before` is told of.
  func beside(_ before: @escaping @Sendable (_ sql: String) async throws -> Void) async throws -> Router {
    let watched = WatchedDatabase(database: database, before: before)
    return Router(
      try await CustomerServiceApplication(database: watched, clock: clock, random: SystemRandom()).methodBindings)
  }

  /// Runs the body while the service's background loops run.
  func whileRunning<Result: Sendable>(_ body: @Sendable @escaping () async throws -> Result) async throws -> Result {
    let loops = application.background(sleep: { try await Task.sleep(for: $0) }, onError: { print($0) })
      .map { loop in Task { try await loop() } }
    defer { for loop in loops { loop.cancel() } }
    return try await body()
  }

  /// One request, one reply.
  func unary<Request: Message, Response: Message>(
    _ method: MethodDescriptor, _ request: Request, caller: String = "tester", router: Router? = nil
  ) async throws -> Response {
    let replies: [Response] = try await streaming(method, [request], caller: caller, router: router)
    guard let reply = replies.first, replies.count == 1 else { throw RPCError(.internal, "\(replies.count) replies") }
    return reply
  }

  /// Any number of requests, then all replies.
  func streaming<Request: Message, Response: Message>(
    _ method: MethodDescriptor, _ requests: [Request], caller: String = "tester", router: Router? = nil
  ) async throws -> [Response] {
    let exchange = Exchange()
    try await run(method, requests, exchange, caller: caller, router: router)
    return try exchange.messages.map { try Response(serialized: $0) }
  }

  /// Runs a call to its end; its replies go to the exchange as they come.
  func run<Request: Message>(
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
  func number(_ sql: String) async throws -> Int64 {
    try await database.row(Statement(sql), access: .scan)?.integer(0) ?? -1
  }

  /// All that happened so far, in order, from the outbox.
  func outbox() async throws -> [(aggregate: String, version: Int64, type: String, payload: [UInt8])] {
    try await database.query(
      Statement(
        "SELECT aggregate_id, aggregate_version, type, payload FROM event ORDER BY aggregate_id, aggregate_version"),
      access: .scan
    ).map { (try $0.text(0), try $0.integer(1), try $0.text(2), try $0.blob(3)) }
  }
}

/// A database that lets something happen between a use case's steps: how a race is made to come out one way.
struct WatchedDatabase: Database {
  let database: SQLiteDatabase
  let before: @Sendable (String) async throws -> Void

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

/// Where a call's replies go.
final class Exchange: ServerCallTransport, Sendable {
  private let state = Mutex((messages: [[UInt8]](), headersSent: false))
  private let arrival = AsyncSignal()

  func send(framed: [UInt8]) {
    state.withLock { $0.messages.append(Array(framed.dropFirst(framePrefixLength))) }
    arrival.raise()
  }
  func sendHeaders() {
    state.withLock { $0.headersSent = true }
    arrival.raise()
  }
  var isCongested: Bool { false }
  func messagesConsumed() {}

  var messages: [[UInt8]] { state.withLock { $0.messages } }
  var headersSent: Bool { state.withLock { $0.headersSent } }

  /// Waits until the replies so far, or the headers, are as they should be.
  func wait<Reply: Message>(_ type: Reply.Type, until done: ([Reply]) -> Bool) async throws -> [Reply] {
    while true {
      let count = arrival.count
      let replies = try messages.map { try Reply(serialized: $0) }
      if done(replies) { return replies }
      try await arrival.wait(after: count)
    }
  }
}

/// The error of a call that must fail.
func failure(_ body: () async throws -> some Any) async -> RPCError? {
  do {
    _ = try await body()
    return nil
  } catch {
    return RPCError(converting: error)
  }
}

extension RPCError {
  /// The bad fields that it names.
  var fields: [String] { details.flatMap { StatusDetails.violations($0) }.map(\.field) }
}
