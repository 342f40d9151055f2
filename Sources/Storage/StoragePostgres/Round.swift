import Storage

/// A statement on its way to the server.
struct Command: Sendable {
  /// With `?` for parameters.
  let sql: String
  let parameters: [SQLValue]
  /// Whether the server keeps it prepared; not for what runs once.
  let isPrepared: Bool

  init(_ sql: String, _ parameters: [SQLValue] = [], isPrepared: Bool = true) {
    (self.sql, self.parameters, self.isPrepared) = (sql, parameters, isPrepared)
  }

  static let begin = Command("BEGIN")
  static let commit = Command("COMMIT")
  static let rollBack = Command("ROLLBACK")
}

/// What goes to the server in one piece and is answered in one piece. An error skips what follows it.
struct Round: Sendable {
  var commands: [Command]
  /// Whether the last command is COMMIT.
  var commits: Bool { commands.last?.sql == Command.commit.sql }
}

/// The answer to a command.
enum Reply: Sendable {
  /// So many rows were inserted, updated or deleted.
  case done(changes: Int)
  /// What a query gives.
  case rows([Row])
  /// The server refused it.
  case failed(ServerFailure)
  /// One before it failed.
  case skipped

  var failure: ServerFailure? {
    if case .failed(let failure) = self { failure } else { nil }
  }
}

/// A conversation with the server as a value: replies in, rounds out. It knows no connection, and can be begun anew.
protocol Exchange: Sendable {
  associatedtype Success: Sendable

  /// What it begins with.
  var first: Round { get }
  /// What follows from the replies to the last round.
  mutating func next(after replies: [Reply]) -> ExchangeStep<Success>
}

/// What an exchange does next.
enum ExchangeStep<Success: Sendable>: Sendable {
  case round(Round)
  case end(Result<Success, any Error>)
  /// Nothing was written: the same from the beginning, on another connection if this one is not what it was taken for.
  case again(StorageError, onAnotherConnection: Bool)
}
