import Storage

/// One query on a connection that may only read. The server stops after one row more than is allowed.
struct QueryExchange: Exchange {
  let statement: Statement
  let rows: Int
  let path: String
  let milliseconds: Int

  /// As part of another query a statement that writes is no SQL.
  var first: Round {
    Round(commands: [
      Command("SELECT * FROM (\(statement.sql)) AS answer LIMIT \(rows + 1)", statement.parameters)
    ])
  }

  mutating func next(after replies: [Reply]) -> ExchangeStep<[Row]> {
    switch replies.first {
    case .rows(let found):
      return .end(found.count > rows ? .failure(StorageError.tooManyRows(limit: rows)) : .success(found))
    case .failed(let failure):
      var error = failure.storageError(path: path, milliseconds: milliseconds)
      if failure.isPassing || failure.isStalePreparation {
        return .again(error, onAnotherConnection: failure.isStalePreparation)
      }
      if case .readOnly = error { error = .invalidStatement("a query must not write: \(statement.sql.prefix(80))") }
      return .end(.failure(error))
    default:
      return .end(.failure(StorageError.invalidStatement("not a query: \(statement.sql.prefix(80))")))
    }
  }
}
