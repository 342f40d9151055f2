/// Writes JSON, on one line or with one member per line.
struct JSONWriter {
  private(set) var bytes: [UInt8] = []
  private let pretty: Bool
  private var depth = 0
  private var isFirst = true

  init(pretty: Bool) { self.pretty = pretty }

  mutating func beginObject() { begin("{") }
  mutating func endObject() { end("}") }
  mutating func beginArray() { begin("[") }
  mutating func endArray() { end("]") }

  /// The name of the next member.
  mutating func name(_ name: String) {
    beginElement()
    quoted(name)
    raw(pretty ? ": " : ":")
  }

  /// Before each element of an array.
  mutating func beginElement() {
    if !isFirst { raw(",") }
    isFirst = false
    newLine()
  }

  /// A number or word as it stands.
  mutating func raw(_ text: String) { bytes.append(contentsOf: text.utf8) }

  /// A string.
  mutating func quoted(_ text: String) {
    bytes.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""): raw("\\\"")
      case UInt8(ascii: "\\"): raw("\\\\")
      case 0x0A: raw("\\n")
      case 0x0D: raw("\\r")
      case 0x09: raw("\\t")
      case 0..<0x20: raw("\\u00" + (byte < 16 ? "0" : "") + String(byte, radix: 16))
      default: bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }

  private mutating func begin(_ bracket: String) {
    raw(bracket)
    depth += 1
    isFirst = true
  }

  private mutating func end(_ bracket: String) {
    depth -= 1
    if !isFirst { newLine() }
    isFirst = false
    raw(bracket)
  }

  private mutating func newLine() {
    guard pretty else { return }
    bytes.append(UInt8(ascii: "\n"))
    for _ in 0..<depth { raw("  ") }
  }
}
