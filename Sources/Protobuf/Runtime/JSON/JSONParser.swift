/// Reads JSON (RFC 8259), strictly: UTF-8, no duplicate names, no lone surrogates, nothing behind the value.
struct JSONParser {
  /// Arrays and objects inside each other: twice the message depth, since a list is a level of its own.
  static let maximumDepth = 200

  private let bytes: [UInt8]
  private let maximumDepth: Int
  private var index = 0

  private init(_ bytes: [UInt8], maximumDepth: Int) { (self.bytes, self.maximumDepth) = (bytes, maximumDepth) }

  static func parse(
    _ bytes: [UInt8], maximumDepth: Int = JSONParser.maximumDepth
  ) throws(JSONFailure) -> JSONValue {
    var parser = JSONParser(bytes, maximumDepth: maximumDepth)
    let value = try parser.value(depth: 0)
    parser.skipBlanks()
    guard parser.index == bytes.count else { throw parser.failure("something follows the value") }
    return value
  }

  private func failure(_ reason: String) -> JSONFailure { JSONFailure("\(reason) at byte \(index) of the JSON text") }

  private var current: UInt8? { index < bytes.count ? bytes[index] : nil }

  private mutating func skipBlanks() {
    while let byte = current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { index += 1 }
  }

  private mutating func take(_ character: Character) -> Bool {
    guard current == character.asciiValue else { return false }
    index += 1
    return true
  }

  private mutating func value(depth: Int) throws(JSONFailure) -> JSONValue {
    guard depth <= maximumDepth else { throw failure("nested too deep") }
    skipBlanks()
    switch current {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try array(depth: depth)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    case .some: return try number()
    case nil: throw failure("the text ends too soon")
    }
  }

  private mutating func word(_ text: StaticString, _ value: JSONValue) throws(JSONFailure) -> JSONValue {
    let length = text.utf8CodeUnitCount
    let matches = text.withUTF8Buffer { bytes[index..<min(index + length, bytes.count)].elementsEqual($0) }
    guard matches else { throw failure("unexpected character") }
    index += length
    return value
  }

  private mutating func object(depth: Int) throws(JSONFailure) -> JSONValue {
    index += 1
    var members: [JSONValue.Member] = []
    // As bytes: see `isSame`.
    var names: Set<[UInt8]> = []
    skipBlanks()
    if take("}") { return .object([]) }
    repeat {
      skipBlanks()
      guard current == UInt8(ascii: "\"") else { throw failure("expected a name in quotes") }
      let name = try string()
      guard names.insert(Array(name.utf8)).inserted else { throw failure("the name \"\(name)\" occurs twice") }
      skipBlanks()
      guard take(":") else { throw failure("expected a colon") }
      members.append(.init(name: name, value: try value(depth: depth + 1)))
      skipBlanks()
    } while take(",")
    guard take("}") else { throw failure("expected a comma or }") }
    return .object(members)
  }

  private mutating func array(depth: Int) throws(JSONFailure) -> JSONValue {
    index += 1
    var values: [JSONValue] = []
    skipBlanks()
    if take("]") { return .array([]) }
    repeat {
      values.append(try value(depth: depth + 1))
      skipBlanks()
    } while take(",")
    guard take("]") else { throw failure("expected a comma or ]") }
    return .array(values)
  }

  private mutating func number() throws(JSONFailure) -> JSONValue {
    let start = index
    _ = take("-")
    if !take("0") { try digits() }
    if take(".") { try digits() }
    if take("e") || take("E") {
      if !take("+") { _ = take("-") }
      try digits()
    }
    return .number(String(decoding: bytes[start..<index], as: UTF8.self))
  }

  private mutating func digits() throws(JSONFailure) {
    let start = index
    while let byte = current, (48...57).contains(byte) { index += 1 }
    guard index > start else { throw failure("unexpected character") }
  }

  private mutating func string() throws(JSONFailure) -> String {
    index += 1
    var content: [UInt8] = []
    var start = index
    while let byte = current {
      switch byte {
      case UInt8(ascii: "\""):
        content += bytes[start..<index]
        index += 1
        guard let text = String(validating: content, as: UTF8.self) else { throw failure("invalid UTF-8 before") }
        return text
      case UInt8(ascii: "\\"):
        content += bytes[start..<index]
        index += 1
        try escape(into: &content)
        start = index
      case 0..<0x20: throw failure("a control character in a string")
      default: index += 1
      }
    }
    throw failure("the string does not end")
  }

  private mutating func escape(into content: inout [UInt8]) throws(JSONFailure) {
    guard let byte = current else { throw failure("the string does not end") }
    index += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): content.append(byte)
    case UInt8(ascii: "b"): content.append(0x08)
    case UInt8(ascii: "f"): content.append(0x0C)
    case UInt8(ascii: "n"): content.append(0x0A)
    case UInt8(ascii: "r"): content.append(0x0D)
    case UInt8(ascii: "t"): content.append(0x09)
    case UInt8(ascii: "u"):
      var code = try codeUnit()
      if (0xD800..<0xDC00).contains(code) {
        guard take("\\"), take("u") else { throw failure("half a surrogate pair") }
        let low = try codeUnit()
        guard (0xDC00..<0xE000).contains(low) else { throw failure("half a surrogate pair") }
        code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(code) else { throw failure("half a surrogate pair") }
      content += Array(String(Character(scalar)).utf8)
    default: throw failure("unknown escape")
    }
  }

  private mutating func codeUnit() throws(JSONFailure) -> UInt32 {
    var code: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = current, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw failure("expected four hexadecimal digits")
      }
      code = code << 4 | UInt32(digit)
      index += 1
    }
    return code
  }
}
