import Core

/// Comma-separated values (RFC 4180) with LF line ends.
enum CSV {
  /// One record with its line end.
  static func line(_ cells: [String]) -> String {
    cells.map(quoted).joined(separator: ",") + "\n"
  }

  /// One record with its line end, of values that may be in any encoding.
  static func line(_ cells: [[UInt8]]) -> [UInt8] {
    Array(cells.map(quoted).joined(separator: [UInt8(ascii: ",")])) + [UInt8(ascii: "\n")]
  }

  private static func quoted(_ cell: String) -> String {
    guard cell.utf8.contains(where: needsQuotes) else { return cell }
    return String(decoding: quoted(Array(cell.utf8)), as: UTF8.self)
  }

  private static func quoted(_ cell: [UInt8]) -> [UInt8] {
    guard cell.contains(where: needsQuotes) else { return cell }
    let quote = UInt8(ascii: "\"")
    return [quote] + cell.flatMap { $0 == quote ? [quote, quote] : [$0] } + [quote]
  }

  private static func needsQuotes(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: ",") || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
  }
}

/// JSON (RFC 8259) of small results; messages are written by the transcoder.
enum JSONText {
  /// An object of values that are JSON already.
  static func object(_ members: [(String, String)]) -> String {
    "{" + members.map { "\(jsonString($0.0)): \($0.1)" }.joined(separator: ", ") + "}"
  }
}
