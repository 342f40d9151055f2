/// One SQL statement with its parameters, in the dialect that SQLite and PostgreSQL share.
///
/// Parameters are `?` in order; a driver may number them, so a question mark stands nowhere else, not in a string
/// either. Values never go into the text: statements are cached by it.
public struct Statement: Sendable {
  /// What must hold of a statement of a batch, else the whole batch is rolled back.
  public enum Expectation: Sendable {
    /// Anything goes. A unique constraint that fails throws `StorageError.uniqueViolation`.
    case any
    /// So many rows are inserted, updated or deleted: `UPDATE … WHERE version = ?` must change exactly one.
    case changes(Int, orFail: BatchConflict)
    /// No unique constraint fails: for an INSERT that says what a duplicate means.
    case unique(orFail: BatchConflict)
  }

  /// Most parameters of a statement; PostgreSQL's own limit is 65,535 and SQLite's 32,766.
  public static let maximumParameters = 32_000

  /// The text, one statement without a semicolon.
  public var sql: String
  /// A value for each `?`.
  public var parameters: [SQLValue]
  /// What must hold after it has run; queries ignore it.
  public var expectation: Expectation

  /// A statement.
  public init(_ sql: String, _ parameters: [SQLValue] = [], expect expectation: Expectation = .any) {
    self.sql = sql
    self.parameters = parameters
    self.expectation = expectation
  }

  /// `?, ?, …` for `column IN (…)`, with the parameters to append in the same place.
  ///
  /// The list is filled up to a power of two by repeating its last value, which changes no IN, so that lists of many
  /// lengths share a few cached statements. At most 16,384 values (throws `StorageError.invalidStatement`); an empty
  /// list gives NULL, which nothing is equal to.
  public static func list(_ values: [SQLValue]) throws -> (sql: String, parameters: [SQLValue]) {
    guard let last = values.last else { return ("NULL", []) }
    guard values.count <= 16_384 else {
      throw StorageError.invalidStatement("a list of \(values.count) values is over the limit of 16384; split it")
    }
    var size = 1
    while size < values.count { size *= 2 }
    let padding = Array(repeating: last, count: size - values.count)
    return ("?" + String(repeating: ", ?", count: size - 1), values + padding)
  }
}
