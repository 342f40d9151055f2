import Core

/// One row of an answer: a window on the values that all rows of the answer share.
public struct Row: Sendable {
  private let values: [SQLValue]
  private let start: Int
  /// Number of columns.
  public let count: Int

  /// The row of `count` values that begins at `start`.
  public init(values: [SQLValue], start: Int, count: Int) {
    self.values = values
    self.start = start
    self.count = count
  }

  /// The value of a column, counted from 0; throws `StorageError.unexpectedValue` when there is no such column.
  public func value(_ column: Int) throws -> SQLValue {
    guard column >= 0, column < count else { throw wrong(column, "a column", "\(count) columns") }
    return values[start + column]
  }

  /// A text that is not NULL.
  public func text(_ column: Int) throws -> String {
    guard let text = try optionalText(column) else { throw wrong(column, "TEXT", "NULL") }
    return text
  }

  /// A text or NULL.
  public func optionalText(_ column: Int) throws -> String? {
    switch try value(column) {
    case .text(let text): text
    case .null: nil
    case let other: throw wrong(column, "TEXT", other.typeName)
    }
  }

  /// A whole number that is not NULL.
  public func integer(_ column: Int) throws -> Int64 {
    guard let number = try optionalInteger(column) else { throw wrong(column, "INTEGER", "NULL") }
    return number
  }

  /// A whole number or NULL.
  public func optionalInteger(_ column: Int) throws -> Int64? {
    switch try value(column) {
    case .integer(let number): number
    case .null: nil
    case let other: throw wrong(column, "INTEGER", other.typeName)
    }
  }

  /// A floating-point number that is not NULL; whole numbers are taken too.
  public func real(_ column: Int) throws -> Double {
    switch try value(column) {
    case .real(let number): number
    case .integer(let number): Double(number)
    case let other: throw wrong(column, "REAL", other.typeName)
    }
  }

  /// Bytes that are not NULL.
  public func blob(_ column: Int) throws -> [UInt8] {
    guard let bytes = try optionalBlob(column) else { throw wrong(column, "BLOB", "NULL") }
    return bytes
  }

  /// Bytes or NULL.
  public func optionalBlob(_ column: Int) throws -> [UInt8]? {
    switch try value(column) {
    case .blob(let bytes): bytes
    case .null: nil
    case let other: throw wrong(column, "BLOB", other.typeName)
    }
  }

  /// A point in time, stored in microseconds.
  public func time(_ column: Int) throws -> Timestamp { Timestamp(microsecondsSinceEpoch: try integer(column)) }

  /// An id of a kind.
  public func id<Kind>(_ column: Int, as kind: Identifier<Kind>.Type = Identifier<Kind>.self) throws -> Identifier<Kind>
  {
    guard let id = Identifier<Kind>(try text(column)) else {
      throw wrong(column, "an id \(Kind.prefix)_…", "other text")
    }
    return id
  }

  private func wrong(_ column: Int, _ expected: String, _ found: String) -> StorageError {
    .unexpectedValue(column: column, expected: expected, found: found)
  }
}
