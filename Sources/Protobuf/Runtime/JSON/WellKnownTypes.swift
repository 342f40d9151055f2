import Core

extension JSONTranscoder {
  // MARK: from JSON

  /// A message with a JSON form of its own.
  func wire(
    of value: JSONValue, as type: WellKnownType, _ message: ProtoMessage, depth: Int
  ) throws(JSONFailure) -> [UInt8] {
    var writer = WireWriter()
    switch type {
    case .any: return try anyWire(of: value, depth: depth)
    case .empty:
      guard case .object(let members) = value else { throw mismatch("an object", value) }
      return try wire(of: members, as: message, depth: depth)
    case .timestamp:
      guard let time = PreciseTime(rfc3339: try plainText(value)) else {
        throw JSONFailure("expected a time as in RFC 3339, for example \"2026-11-21T08:30:00Z\"")
      }
      writer.secondsAndNanos(time.seconds, time.nanos)
    case .duration:
      guard let span = PreciseTime(duration: try plainText(value)) else {
        throw JSONFailure("expected seconds, for example \"1.5s\"")
      }
      writer.secondsAndNanos(span.seconds, span.nanos)
    case .fieldMask:
      let text = try plainText(value)
      let paths = text.isEmpty ? [] : text.split(separator: ",", omittingEmptySubsequences: false)
      for path in paths { writer.string(1, try snakeCase(path)) }
    case .structure, .value, .list: throw JSONFailure("\(message.fullName) is not supported")
    default:
      guard let field = message.field(number: 1) else { throw JSONFailure("\(message.fullName) has no value") }
      let scalar = try scalar(value, of: field)
      if !scalar.isDefault { writer.scalar(1, scalar) }
    }
    return writer.bytes
  }

  private func plainText(_ value: JSONValue) throws(JSONFailure) -> String {
    String(decoding: try text(value), as: UTF8.self)
  }

  private func anyWire(of value: JSONValue, depth: Int) throws(JSONFailure) -> [UInt8] {
    guard case .object(let members) = value else { throw mismatch("an object", value) }
    if members.isEmpty { return [] }
    guard let type = members.first(where: { $0.name == "@type" }) else { throw JSONFailure("has no \"@type\"") }
    let typeURL = try naming("@type") { () throws(JSONFailure) in try plainText(type.value) }
    let message = try message(typeURL: typeURL)
    let rest = members.filter { $0.name != "@type" }
    let content: [UInt8]
    if WellKnownType(rawValue: message.fullName) != nil {
      guard rest.count == 1, rest[0].name == "value" else { throw JSONFailure("expected \"value\" beside \"@type\"") }
      content = try naming("value") { () throws(JSONFailure) in
        try wire(of: rest[0].value, as: message, depth: depth + 1)
      }
    } else {
      content = try wire(of: .object(rest), as: message, depth: depth + 1)
    }
    var writer = WireWriter()
    writer.string(1, typeURL)
    if !content.isEmpty { writer.bytes(2, content) }
    return writer.bytes
  }

  private func snakeCase(_ path: Substring) throws(JSONFailure) -> String {
    var result = ""
    guard !path.isEmpty else { throw JSONFailure("a path is empty") }
    for character in path {
      guard character.isASCII, character != "_" else { throw JSONFailure("\"\(path)\" is no path of JSON names") }
      result += character.isUppercase ? "_" + character.lowercased() : String(character)
    }
    return result
  }

  // MARK: to JSON

  /// A message with a JSON form of its own.
  func write(
    _ wire: ArraySlice<UInt8>, as type: WellKnownType, _ message: ProtoMessage, to writer: inout JSONWriter, depth: Int
  ) throws(JSONFailure) {
    let content = try contents(of: wire, as: message)
    switch type {
    case .any: try writeAny(content, to: &writer, depth: depth)
    case .empty:
      writer.beginObject()
      writer.endObject()
    case .timestamp:
      guard let text = PreciseTime(content).rfc3339 else { throw JSONFailure("is no time of the years 1 to 9999") }
      writer.quoted(text)
    case .duration:
      guard let text = PreciseTime(content).duration else { throw JSONFailure("is no span within 10,000 years") }
      writer.quoted(text)
    case .fieldMask:
      var paths: [String] = []
      for value in content[1] ?? [] { paths.append(try camelCase(try string(value))) }
      writer.quoted(paths.joined(separator: ","))
    case .structure, .value, .list: throw JSONFailure("\(message.fullName) is not supported")
    default:
      guard let field = message.field(number: 1) else { throw JSONFailure("\(message.fullName) has no value") }
      let absent: WireReader.Value =
        switch field.type.wireType {
        case 1: .fixed64(0)
        case 2: .bytes([])
        case 5: .fixed32(0)
        default: .varint(0)
        }
      try writeScalar(content[1]?.last ?? absent, of: field, to: &writer)
    }
  }

  private func writeAny(
    _ content: [Int: [WireReader.Value]], to writer: inout JSONWriter, depth: Int
  ) throws(JSONFailure) {
    let typeURL = try content[1]?.last.map { (value) throws(JSONFailure) in try string(value) } ?? ""
    let bytes = try content[2]?.last.map { (value) throws(JSONFailure) in try self.bytes(value) } ?? []
    writer.beginObject()
    if !typeURL.isEmpty {
      let message = try message(typeURL: typeURL)
      writer.name("@type")
      writer.quoted(typeURL)
      guard depth < JSONTranscoder.maximumDepth else {
        throw JSONFailure("nested deeper than \(JSONTranscoder.maximumDepth)")
      }
      if WellKnownType(rawValue: message.fullName) != nil {
        writer.name("value")
        try write(bytes, as: message, to: &writer, depth: depth + 1)
      } else {
        try writeMembers(bytes, as: message, to: &writer, depth: depth + 1)
      }
    }
    writer.endObject()
  }

  /// A path that would not come back the same has no JSON form.
  private func camelCase(_ path: String) throws(JSONFailure) -> String {
    let camel = lowerCamelCase(path)
    guard !path.isEmpty, !path.contains(where: { $0.isUppercase || $0 == "," }), (try? snakeCase(camel[...])) == path
    else {
      throw JSONFailure("\"\(path)\" has no JSON form")
    }
    return camel
  }
}

extension WireWriter {
  /// The fields of Timestamp and Duration.
  mutating func secondsAndNanos(_ seconds: Int64, _ nanos: Int32) {
    if seconds != 0 { varint(1, UInt64(bitPattern: seconds)) }
    if nanos != 0 { varint(2, UInt64(bitPattern: Int64(nanos))) }
  }
}
