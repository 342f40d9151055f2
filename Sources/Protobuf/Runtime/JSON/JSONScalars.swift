import Core

extension JSONTranscoder {
  /// A value that is not a message, from JSON.
  func scalar(_ value: JSONValue, of field: ProtoField) throws(JSONFailure) -> WireScalar {
    switch field.type {
    case .int32: .varint(UInt64(bitPattern: Int64(try integer(value, Int32.self))))
    case .int64: .varint(UInt64(bitPattern: try integer(value, Int64.self)))
    case .uint32: .varint(UInt64(try integer(value, UInt32.self)))
    case .uint64: .varint(try integer(value, UInt64.self))
    case .sint32: .varint(zigzag(Int64(try integer(value, Int32.self))))
    case .sint64: .varint(zigzag(try integer(value, Int64.self)))
    case .fixed32: .fixed32(try integer(value, UInt32.self))
    case .fixed64: .fixed64(try integer(value, UInt64.self))
    case .sfixed32: .fixed32(UInt32(bitPattern: try integer(value, Int32.self)))
    case .sfixed64: .fixed64(UInt64(bitPattern: try integer(value, Int64.self)))
    case .float: .fixed32(try float(value).bitPattern)
    case .double: .fixed64(try double(value).bitPattern)
    case .bool: .varint(try bool(value) ? 1 : 0)
    case .string: .bytes(try text(value))
    case .bytes: .bytes(try base64(value))
    case .enumeration: .varint(UInt64(bitPattern: Int64(try enumNumber(value, of: field))))
    case .message, .group: throw mismatch("a scalar", value)
    }
  }

  private func zigzag(_ value: Int64) -> UInt64 { UInt64(bitPattern: value << 1 ^ value >> 63) }

  /// A number, or a string that holds one; "1.0" and "1e3" are integers too.
  private func integer<T: FixedWidthInteger>(_ value: JSONValue, _ type: T.Type) throws(JSONFailure) -> T {
    let text: String
    switch value {
    case .number(let number): text = number
    case .string(let string): text = string
    default: throw mismatch("an integer", value)
    }
    // Int's initializer takes a plus sign, JSON does not.
    if let number = T(text), !text.hasPrefix("+") { return number }
    guard isNumber(text) else { throw JSONFailure("expected an integer, found \"\(text)\"") }
    guard let exact = T(wholeNumber: text) else { throw JSONFailure("\(text) is no integer of \(T.bitWidth) bits") }
    return exact
  }

  private func isNumber(_ text: String) -> Bool {
    if case .number = try? JSONParser.parse(Array(text.utf8)) { return true }
    return false
  }

  private func double(_ value: JSONValue) throws(JSONFailure) -> Double {
    let text: String
    switch value {
    case .number(let number): text = number
    case .string("NaN"): return .nan
    case .string("Infinity"): return .infinity
    case .string("-Infinity"): return -.infinity
    case .string(let string): text = string
    default: throw mismatch("a number", value)
    }
    guard isNumber(text), let number = Double(text) else { throw JSONFailure("expected a number, found \"\(text)\"") }
    guard number.isFinite else { throw JSONFailure("\(text) is too large") }
    return number
  }

  private func float(_ value: JSONValue) throws(JSONFailure) -> Float {
    let number = try double(value)
    let narrow = Float(number)
    guard narrow.isFinite || !number.isFinite else { throw JSONFailure("\(number) is too large") }
    return narrow
  }

  private func bool(_ value: JSONValue) throws(JSONFailure) -> Bool {
    guard case .bool(let bool) = value else { throw mismatch("true or false", value) }
    return bool
  }

  func text(_ value: JSONValue) throws(JSONFailure) -> [UInt8] {
    guard case .string(let text) = value else { throw mismatch("a string", value) }
    let bytes = Array(text.utf8)
    // As on the wire: see `preScan`.
    guard !bytes.contains(0) else { throw JSONFailure("holds a NUL character") }
    return bytes
  }

  private func base64(_ value: JSONValue) throws(JSONFailure) -> [UInt8] {
    guard case .string(let text) = value else { throw mismatch("a base64 string", value) }
    guard let bytes = Base64.decode(text) else { throw JSONFailure("is not base64") }
    return bytes
  }

  private func enumNumber(_ value: JSONValue, of field: ProtoField) throws(JSONFailure) -> Int32 {
    guard case .string(let name) = value else { return try integer(value, Int32.self) }
    guard let index = field.typeIndex, let known = pool.enums[index].values.first(where: { $0.name.isSame(as: name) })
    else {
      throw JSONFailure("\(field.typeName) has no value \"\(name)\"")
    }
    return known.number
  }
}

extension FixedWidthInteger {
  /// Digits of the largest integer of 64 bits.
  private static var maximumDigits: Int { 20 }

  /// The integer that a number in JSON's form stands for, such as "1.50e2", by its digits: a Double would round it. Nil if it has
  /// a fraction or is none of this type.
  init?(wholeNumber text: String) {
    let isNegative = text.utf8.first == UInt8(ascii: "-")
    let parts = text.dropFirst(isNegative ? 1 : 0).split(separator: /[eE]/, maxSplits: 1)
    let mantissa = parts[0].split(separator: ".", maxSplits: 1)
    let fraction = mantissa.count > 1 ? mantissa[1] : ""
    var digits = Array((mantissa[0] + fraction).utf8.drop { $0 == UInt8(ascii: "0") })
    guard !digits.isEmpty else {
      self = 0
      return
    }
    guard let exponent = parts.count > 1 ? Int(parts[1]) : 0 else { return nil }
    let (scale, isTooLarge) = exponent.subtractingReportingOverflow(fraction.utf8.count)
    var zeros = scale
    while digits.last == UInt8(ascii: "0"), zeros < 0 {
      digits.removeLast()
      zeros += 1
    }
    guard !isTooLarge, zeros >= 0, zeros <= Self.maximumDigits, digits.count <= Self.maximumDigits else { return nil }
    digits += [UInt8](repeating: UInt8(ascii: "0"), count: zeros)
    self.init((isNegative ? "-" : "") + String(decoding: digits, as: UTF8.self))
  }
}
