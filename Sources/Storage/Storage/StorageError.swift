/// What can go wrong with a database. Messages name files, tables and limits, never values of rows.
public enum StorageError: Error, Hashable, Sendable {
  /// A precondition of the batch did not hold: read again and decide anew.
  case conflict(BatchConflict)
  /// A unique constraint that the statement did not expect to fail. The detail is the driver's name for it: columns
  /// ("event.aggregate_id, event.aggregate_version") or an index.
  case uniqueViolation(constraint: String)
  /// Another constraint failed: foreign key, check, not null, type.
  case constraintViolation(String)
  /// A queue is full: try again later.
  case overloaded(queue: String, limit: Int)
  /// The query was stopped after so many steps of the database's machine.
  case queryTooExpensive(steps: Int)
  /// The database server stopped the statement after so long.
  case timedOut(milliseconds: Int)
  /// The query gives more rows than its kind of access allows.
  case tooManyRows(limit: Int)
  /// The batch holds more statements than allowed.
  case batchTooLarge(statements: Int, limit: Int)
  /// A mistake in the program: SQL that cannot be prepared, a wrong number of parameters, a query that writes.
  case invalidStatement(String)
  /// A column holds another type than the program expects.
  case unexpectedValue(column: Int, expected: String, found: String)
  /// A value is larger than the database takes.
  case valueTooLarge
  /// A text holds a NUL character, which PostgreSQL cannot keep.
  case invalidText

  /// The database cannot be opened: missing or read-only folder, no permission.
  case cannotOpen(path: String, reason: String)
  /// Another process has the database open.
  case inUse(path: String, process: String?)
  /// The file is a database of another program, or no database.
  case foreignFile(path: String, reason: String)
  /// The file is damaged.
  case corrupt(path: String, detail: String)
  /// There is no room to write; nothing of the batch was written.
  case full(path: String)
  /// The file or its file system does not allow writing.
  case readOnly(path: String)
  /// Reading or writing the file failed. After a failed commit the driver writes no more until it is opened again,
  /// because the system may have dropped what it could not write.
  case inputOutput(path: String, detail: String)
  /// The database server cannot be reached; nothing of the batch was written.
  case unreachable(path: String, reason: String)
  /// The connection was lost while the batch was being committed: all of it was written or nothing. Whoever commits the
  /// same batch again is told so by its idempotency row.
  case unknownOutcome(path: String)
  /// The database was closed.
  case closed
}

extension StorageError: CustomStringConvertible {
  /// One line for the person who must act.
  public var description: String {
    switch self {
    case .conflict(let conflict): "\(conflict.kind): \(conflict.subject)"
    case .uniqueViolation(let constraint): "a row with the same key is there: \(constraint)"
    case .constraintViolation(let detail): "a constraint does not hold: \(detail)"
    case .overloaded(let queue, let limit):
      "too much at once: the queue of \(queue) is full (\(limit)); try again later"
    case .queryTooExpensive(let steps): "the query was stopped after \(steps) steps; ask for less"
    case .timedOut(let milliseconds): "the database stopped the statement after \(milliseconds) ms; ask for less"
    case .tooManyRows(let limit): "the query gives more than \(limit) rows; ask for less"
    case .batchTooLarge(let statements, let limit): "a batch of \(statements) statements is over the limit of \(limit)"
    case .invalidStatement(let detail): "the program's SQL is wrong: \(detail)"
    case .unexpectedValue(let column, let expected, let found):
      "column \(column) of a row holds \(found) where \(expected) is expected"
    case .valueTooLarge: "a value is larger than the database takes"
    case .invalidText: "a text holds a NUL character, which the database cannot keep; leave it out"
    case .cannotOpen(let path, let reason): "cannot open the database \(path): \(reason)"
    case .inUse(let path, let process):
      "the database \(path) is in use by \(process.map { "process \($0)" } ?? "another process"); stop that first"
    case .foreignFile(let path, let reason): "\(path) is not a Mainstay database: \(reason)"
    case .corrupt(let path, let detail): "the database \(path) is damaged (\(detail)); restore it from a backup"
    case .full(let path): "no room to write the database \(path); free some disk space"
    case .readOnly(let path): "the database \(path) cannot be written; check its permissions and file system"
    case .inputOutput(let path, let detail):
      "reading or writing the database \(path) failed (\(detail)); check the disk, then restart the service"
    case .unreachable(let path, let reason):
      "the database \(path) cannot be reached (\(reason)); check that its server runs and may be reached from here"
    case .unknownOutcome(let path):
      "the connection to the database \(path) was lost while committing; repeat the request with the same request_id"
    case .closed: "the database is closed"
    }
  }
}
