import Storage

/// The shared dialect as PostgreSQL reads it.
enum ServerDialect {
  /// `?` becomes `$1`, `$2` …; a question mark stands nowhere else.
  static func numbered(_ sql: String) -> String {
    guard sql.utf8.contains(UInt8(ascii: "?")) else { return sql }
    var text: [UInt8] = []
    text.reserveCapacity(sql.utf8.count + 64)
    var number = 0
    for byte in sql.utf8 {
      if byte == UInt8(ascii: "?") {
        number += 1
        text.append(UInt8(ascii: "$"))
        text.append(contentsOf: String(number).utf8)
      } else {
        text.append(byte)
      }
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// Throws for what the server would refuse less clearly, or not at all.
  static func check(_ statement: Statement, _ limits: PostgresLimits) throws(StorageError) {
    // Nothing is no mistake to the server.
    guard statement.sql.utf8.contains(where: { $0 > 0x20 }) else {
      throw StorageError.invalidStatement("an empty statement")
    }
    var places = 0
    for byte in statement.sql.utf8 where byte == UInt8(ascii: "?") { places += 1 }
    guard places == statement.parameters.count, places <= Statement.maximumParameters else {
      throw StorageError.invalidStatement(
        "\(statement.parameters.count) parameters for \(places) places, at most \(Statement.maximumParameters): "
          + statement.sql.prefix(80))
    }
    for parameter in statement.parameters {
      switch parameter {
      case .text(let text):
        guard text.utf8.count <= limits.valueBytes else { throw StorageError.valueTooLarge }
        guard !text.utf8.contains(0) else { throw StorageError.invalidText }
      case .blob(let bytes):
        guard bytes.count <= limits.valueBytes else { throw StorageError.valueTooLarge }
      case .null, .integer, .real: continue
      }
    }
  }

  /// The words of a migration's CREATE TABLE.
  private static let words = [
    "TEXT": "TEXT COLLATE \"C\"", "INTEGER": "BIGINT", "REAL": "DOUBLE PRECISION", "BLOB": "BYTEA",
    // Reserved by PostgreSQL, and the name of a column.
    "only": "\"only\"",
  ]

  /// A statement of a migration: types by their names here, and no STRICT, which PostgreSQL is anyway.
  static func migration(_ sql: String) -> String {
    var text = ""
    var word = ""
    var quote: Character?
    func flush() {
      text += quote == nil ? words[word] ?? word : word
      word = ""
    }
    for character in sql {
      if quote == nil, character.isASCII, character.isLetter || character == "_" || character.isNumber {
        word.append(character)
        continue
      }
      flush()
      text.append(character)
      if character == quote { quote = nil } else if quote == nil, "'\"".contains(character) { quote = character }
    }
    flush()
    return text.replacing(/\)\s*STRICT\s*$/, with: ")")
  }
}
