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
    case .tooManyRows(let limit): "the query gives more than \(limit) rows; ask for less"
    case .batchTooLarge(let statements, let limit): "a batch of \(statements) statements is over the limit of \(limit)"
    case .invalidStatement(let detail): "the program's SQL is wrong: \(detail)"
    case .unexpectedValue(let column, let expected, let found):
      "column \(column) of a row holds \(found) where \(expected) is expected"
    case .valueTooLarge: "a value is larger than the database takes"
    case .cannotOpen(let path, let reason): "cannot open the database \(path): \(reason)"
    case .inUse(let path, let process):
      "the database \(path) is in use by \(process.map { "process \($0)" } ?? "another process"); stop that first"
    case .foreignFile(let path, let reason): "\(path) is not a Mainstay database: \(reason)"
    case .corrupt(let path, let detail): "the database \(path) is damaged (\(detail)); restore it from a backup"
    case .full(let path): "no room to write the database \(path); free some disk space"
    case .readOnly(let path): "the database \(path) cannot be written; check its permissions and file system"
    case .inputOutput(let path, let detail):
      "reading or writing the database \(path) failed (\(detail)); check the disk, then restart the service"
    case .closed: "the database is closed"
    }
  }
}
