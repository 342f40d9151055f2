import Core
import Storage

/// A service's database in a schema of a PostgreSQL server, with a thread of its own that speaks to it.
///
/// Work waits in `Lines`; the `Driver` gives it to connections, each of which carries one exchange of rounds at a time. A batch is a
/// `BatchExchange`, a query a `QueryExchange`.
public final class PostgresDatabase: Database {
  /// Raised after each commit of this process that held events.
  public let committedEvents = AsyncSignal()

  /// See `Database.dialect`.
  public let dialect = Migration.Dialect.postgresql

  private let location: PostgresLocation
  private let limits: PostgresLimits
  private let clock: any Clock
  private let lines: Lines
  private let thread: WorkerThread

  /// Starts the driver and sees that the server may be used.
  ///
  /// Throws `StorageError`: `.unreachable`, after as long as a restart may take, with the server's own words; `.cannotOpen` for a
  /// server that would lose what it acknowledges, or a database that is not UTF-8.
  public static func open(
    _ location: PostgresLocation, clock: any Clock, limits: PostgresLimits = PostgresLimits()
  ) async throws -> PostgresDatabase {
    let database = try PostgresDatabase(location, clock, limits)
    do {
      _ = try await database.query(Statement("SELECT 1"), access: .point)
    } catch {
      database.close()
      throw error
    }
    return database
  }

  private init(_ location: PostgresLocation, _ clock: any Clock, _ limits: PostgresLimits) throws {
    (self.location, self.limits, self.clock) = (location, limits, clock)
    let poller = try Poller(path: location.description)
    let lines = Lines(limits: limits, clock: clock, poller: poller)
    self.lines = lines
    thread = try WorkerThread(path: location.description) {
      Driver(location: location, limits: limits, clock: clock, lines: lines, poller: poller).run()
    }
  }

  deinit { close() }

  /// See `Database.commit`. A batch that meets a deadlock or loses its connection before COMMIT runs again, a few times.
  /// Throws `.unknownOutcome` when the connection was lost at COMMIT.
  @discardableResult
  public func commit(_ batch: Batch, lane: WriteLane) async throws -> BatchReceipt {
    let statements = batch.allStatements
    guard statements.count <= Batch.maximumStatements else {
      throw StorageError.batchTooLarge(statements: statements.count, limit: Batch.maximumStatements)
    }
    for statement in statements { try ServerDialect.check(statement, limits) }
    let first = batch.firstStatement
    let exchange = BatchExchange(
      statements, receipt: first..<first + batch.statements.count, path: location.description,
      milliseconds: limits.writeMilliseconds)
    let (hasEvents, committedEvents) = (!batch.events.isEmpty, committedEvents)
    return try await lines.perform(exchange, lane == .interactive ? .interactive : .bulk) {
      if hasEvents { committedEvents.raise() }
    }
  }

  /// See `Database.query`. Both kinds run on the server; they differ in how long and how much.
  public func query(_ statement: Statement, access: ReadAccess) async throws -> [Row] {
    try ServerDialect.check(statement, limits)
    let isPoint = access == .point
    let exchange = QueryExchange(
      statement: statement, rows: isPoint ? limits.pointRows : limits.scanRows, path: location.description,
      milliseconds: isPoint ? limits.pointMilliseconds : limits.scanMilliseconds)
    return try await lines.perform(exchange, isPoint ? .point : .scan)
  }

  /// See `Database.migrate`. All in one transaction under a lock, so that replicas may start at the same time.
  public func migrate(_ migrations: [Migration]) async throws {
    try await lines.perform(
      MigrationExchange(
        known: StorageSchema.migrations + migrations, schema: location.schema, path: location.description,
        time: clock.now()), .upkeep)
  }

  /// See `Database.close`.
  public func close() {
    guard lines.beginClosing() else { return }
    thread.join()
  }
}
