import CSQLite
import Storage

/// What a query may cost.
struct QueryLimits: Sendable {
  let steps: Int
  let rows: Int
}

extension Connection {
  /// Runs a statement to its end and returns the rows it changed. Throws a conflict if its expectation does not hold.
  @discardableResult
  func execute(_ statement: Statement) throws -> Int {
    let prepared = try bind(statement)
    defer { release(prepared) }
    var code = sqlite3_step(prepared)
    while code == SQLITE_ROW { code = sqlite3_step(prepared) }
    guard code == SQLITE_DONE else {
      let error = failure(code)
      if case .uniqueViolation = error, case .unique(let conflict) = statement.expectation {
        throw StorageError.conflict(conflict)
      }
      throw error
    }
    let changes = sqlite3_stmt_readonly(prepared) == 0 ? Int(sqlite3_changes64(handle)) : 0
    if case .changes(let expected, let conflict) = statement.expectation, changes != expected {
      throw StorageError.conflict(conflict)
    }
    return changes
  }

  /// Runs a statement without parameters.
  func execute(_ sql: String) throws { try execute(Statement(sql)) }

  /// The rows of a query; limits on steps hold for readers only.
  func query(_ statement: Statement, limits: QueryLimits, cancellation: CancellationFlag? = nil) throws -> [Row] {
    let prepared = try bind(statement)
    defer { release(prepared) }
    guard role == .writer || sqlite3_stmt_readonly(prepared) != 0 else {
      throw StorageError.invalidStatement("a query must not write: \(statement.sql.prefix(80))")
    }
    hooks.stepsLeft = limits.steps
    hooks.cancellation = cancellation
    defer { hooks.cancellation = nil }
    let width = Int(sqlite3_column_count(prepared))
    var values: [SQLValue] = []
    var count = 0
    while true {
      let code = sqlite3_step(prepared)
      if code == SQLITE_DONE { break }
      guard code == SQLITE_ROW else {
        guard code == SQLITE_INTERRUPT else { throw failure(code) }
        if let reason = cancellation?.reason { throw reason.error }
        throw StorageError.queryTooExpensive(steps: limits.steps)
      }
      count += 1
      if count > limits.rows { throw StorageError.tooManyRows(limit: limits.rows) }
      for column in 0..<width { values.append(value(of: prepared, column: Int32(column))) }
    }
    let shared = values
    return (0..<count).map { Row(values: shared, start: $0 * width, count: width) }
  }

  /// The prepared statement with its parameters.
  private func bind(_ statement: Statement) throws -> OpaquePointer {
    let prepared = try prepared(statement.sql)
    let count = Int(sqlite3_bind_parameter_count(prepared))
    guard count == statement.parameters.count, count <= Statement.maximumParameters else {
      throw StorageError.invalidStatement(
        "\(statement.parameters.count) parameters for \(count) places, at most \(Statement.maximumParameters): "
          + statement.sql.prefix(80))
    }
    var index: Int32 = 0
    for parameter in statement.parameters {
      index += 1
      let code: Int32
      switch parameter {
      case .null: code = sqlite3_bind_null(prepared, index)
      case .integer(let number): code = sqlite3_bind_int64(prepared, index, number)
      case .real(let number): code = sqlite3_bind_double(prepared, index, number)
      case .text(var text):
        // SQLite would keep it, and cut it off in some functions; PostgreSQL cannot keep it.
        guard !text.utf8.contains(0) else {
          release(prepared)
          throw StorageError.invalidText
        }
        code = text.withUTF8 { mainstay_sqlite_bind_text(prepared, index, $0.baseAddress, UInt64($0.count)) }
      case .blob(let bytes):
        code = bytes.withUnsafeBytes { mainstay_sqlite_bind_blob(prepared, index, $0.baseAddress, UInt64($0.count)) }
      }
      guard code == SQLITE_OK else {
        release(prepared)
        throw failure(code)
      }
    }
    return prepared
  }

  /// Ends the statement's hold on the database and lets go of its parameters.
  private func release(_ prepared: OpaquePointer) {
    sqlite3_reset(prepared)
    sqlite3_clear_bindings(prepared)
  }

  private func value(of prepared: OpaquePointer, column: Int32) -> SQLValue {
    switch sqlite3_column_type(prepared, column) {
    case SQLITE_INTEGER: return .integer(sqlite3_column_int64(prepared, column))
    case SQLITE_FLOAT: return .real(sqlite3_column_double(prepared, column))
    case SQLITE_TEXT:
      let start = sqlite3_column_text(prepared, column)
      let bytes = UnsafeBufferPointer(start: start, count: Int(sqlite3_column_bytes(prepared, column)))
      return .text(String(decoding: bytes, as: UTF8.self))
    case SQLITE_BLOB:
      let start = sqlite3_column_blob(prepared, column)
      let bytes = UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(prepared, column)))
      return .blob(Array(bytes))
    default: return .null
    }
  }
}
