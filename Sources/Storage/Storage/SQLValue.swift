import Core

/// A parameter or a column's value, in the types that SQLite and PostgreSQL share.
public enum SQLValue: Hashable, Sendable {
  /// NULL.
  case null
  /// A whole number; also points in time, as microseconds since the epoch.
  case integer(Int64)
  /// A floating-point number; never money.
  case real(Double)
  /// Text, compared byte by byte.
  case text(String)
  /// Bytes.
  case blob([UInt8])

  /// A text that may be absent.
  public static func optional(_ text: String?) -> SQLValue { text.map(SQLValue.text) ?? .null }
  /// A number that may be absent.
  public static func optional(_ number: Int64?) -> SQLValue { number.map(SQLValue.integer) ?? .null }
  /// Bytes that may be absent.
  public static func optional(_ bytes: [UInt8]?) -> SQLValue { bytes.map(SQLValue.blob) ?? .null }
  /// A point in time, in microseconds.
  public static func time(_ time: Timestamp) -> SQLValue { .integer(time.microsecondsSinceEpoch) }
  /// An id as text.
  public static func id<Kind>(_ id: Identifier<Kind>) -> SQLValue { .text(id.description) }

  /// The type's name for error messages; never the value, which may be personal.
  public var typeName: String {
    switch self {
    case .null: "NULL"
    case .integer: "INTEGER"
    case .real: "REAL"
    case .text: "TEXT"
    case .blob: "BLOB"
    }
  }
}
