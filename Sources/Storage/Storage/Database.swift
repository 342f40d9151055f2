// Start here: `Database` is what a service sees of its store; `Batch` is a write, `Statement` a query, `Row` an answer.
// EventLog, Sequencer and IdempotencyStore stand on these and know no driver.

/// Which queue a write waits in.
public enum WriteLane: Sendable {
  /// Somebody waits for the reply: goes first.
  case interactive
  /// Imports and housekeeping: go when no interactive write waits, and now and then between them.
  case bulk
}

/// How a query runs.
public enum ReadAccess: Sendable {
  /// A few rows by key. Runs on the calling thread, so it is stopped early if it turns out to be expensive.
  case point
  /// More than that. Runs on one of the driver's own threads, with a larger limit.
  case scan
}

/// A service's database. Each driver passes the same conformance suite.
public protocol Database: Sendable {
  /// Writes the batch as one: all of it is on disk when this returns, nothing of it if it throws.
  ///
  /// Throws `StorageError`: `.conflict` when a precondition of the batch does not hold, `.overloaded` when the lane's
  /// queue is full, and so on; `CancellationError` when the task is cancelled before the batch has started. Once
  /// started a batch runs to its end, cancelled or not.
  @discardableResult
  func commit(_ batch: Batch, lane: WriteLane) async throws -> BatchReceipt

  /// The rows that a statement which only reads gives. No snapshot outlives the call.
  ///
  /// Throws `StorageError.queryTooExpensive` and `.tooManyRows` at the limits of its kind of access.
  func query(_ statement: Statement, access: ReadAccess) async throws -> [Row]

  /// Brings the schema to this program's version: the storage layer's own tables first, then the given ones.
  ///
  /// Throws `MigrationError` when the database is newer than the program or an applied migration was changed.
  func migrate(_ migrations: [Migration]) async throws

  /// Which SQL it speaks, for the few statements that the two do not share.
  var dialect: Migration.Dialect { get }

  /// Raised after each commit that held events.
  var committedEvents: AsyncSignal { get }

  /// Finishes the batches that have been accepted, then closes. Blocks; later calls throw `StorageError.closed`.
  func close()
}

extension Database {
  /// The only row that a query gives, or nil when there is none.
  public func row(_ statement: Statement, access: ReadAccess = .point) async throws -> Row? {
    try await query(statement, access: access).first
  }
}
