import Core

extension JSONTranscoder {
  /// A message's JSON into its wire format; fields by number.
  func wire(of value: JSONValue, as message: ProtoMessage, depth: Int) throws(JSONFailure) -> [UInt8] {
    guard depth <= JSONTranscoder.maximumDepth else {
      throw JSONFailure("nested deeper than \(JSONTranscoder.maximumDepth)")
    }
    if let type = WellKnownType(rawValue: message.fullName) {
      return try wire(of: value, as: type, message, depth: depth)
    }
    guard case .object(let members) = value else { throw mismatch("an object", value) }
    return try wire(of: members, as: message, depth: depth)
  }

  func wire(of members: [JSONValue.Member], as message: ProtoMessage, depth: Int) throws(JSONFailure) -> [UInt8] {
    var found: [(field: ProtoField, value: JSONValue, name: String)] = []
    for member in members {
      let named = message.fields.first { $0.jsonName.isSame(as: member.name) || $0.name.isSame(as: member.name) }
      guard let field = named else { throw JSONFailure("\(message.fullName) has no such field", path: member.name) }
      guard !found.contains(where: { $0.field.number == field.number }) else {
        throw JSONFailure("occurs twice, as \(field.jsonName) and \(field.name)", path: member.name)
      }
      if member.value == .null { continue }
      if let oneof = field.oneofIndex, let other = found.first(where: { $0.field.oneofIndex == oneof }) {
        throw JSONFailure("only one of \(other.name) and \(member.name) can be set", path: member.name)
      }
      found.append((field, member.value, member.name))
    }
    found.sort { $0.field.number < $1.field.number }
    var writer = WireWriter()
    for (field, value, name) in found {
      try naming(name) { () throws(JSONFailure) in try write(value, of: field, to: &writer, depth: depth) }
    }
    return writer.bytes
  }

  private func write(
    _ value: JSONValue, of field: ProtoField, to writer: inout WireWriter, depth: Int
  ) throws(JSONFailure) {
    if field.isMap {
      try writeMap(value, of: field, to: &writer, depth: depth)
    } else if field.isRepeated {
      try writeList(value, of: field, to: &writer, depth: depth)
    } else if field.type == .message {
      writer.bytes(field.number, try wire(of: value, as: try message(of: field), depth: depth + 1))
    } else {
      let scalar = try scalar(value, of: field)
      if field.oneofIndex != nil || !scalar.isDefault { writer.scalar(field.number, scalar) }
    }
  }

  private func writeList(
    _ value: JSONValue, of field: ProtoField, to writer: inout WireWriter, depth: Int
  ) throws(JSONFailure) {
    guard case .array(let elements) = value else { throw mismatch("an array", value) }
    var packed = WireWriter()
    for (index, element) in elements.enumerated() {
      try naming("[\(index)]") { () throws(JSONFailure) in
        if field.type == .message {
          writer.bytes(field.number, try wire(of: element, as: try message(of: field), depth: depth + 1))
        } else if field.type.wireType == 2 {
          writer.scalar(field.number, try scalar(element, of: field))
        } else {
          packed.packed(try scalar(element, of: field))
        }
      }
    }
    if !packed.bytes.isEmpty { writer.bytes(field.number, packed.bytes) }
  }

  private func writeMap(
    _ value: JSONValue, of field: ProtoField, to writer: inout WireWriter, depth: Int
  ) throws(JSONFailure) {
    guard case .object(let members) = value else { throw mismatch("an object", value) }
    let entry = try message(of: field)
    guard let key = entry.field(number: 1), let content = entry.field(number: 2) else {
      throw JSONFailure("\(entry.fullName) is no map entry")
    }
    for member in members {
      try naming("[\"\(member.name)\"]") { () throws(JSONFailure) in
        if member.value == .null { throw mismatch("a value", member.value) }
        var pair = WireWriter()
        pair.scalar(1, try mapKey(member.name, of: key))
        if content.type == .message {
          pair.bytes(2, try wire(of: member.value, as: try message(of: content), depth: depth + 1))
        } else {
          pair.scalar(2, try scalar(member.value, of: content))
        }
        writer.bytes(field.number, pair.bytes)
      }
    }
  }

  private func mapKey(_ text: String, of field: ProtoField) throws(JSONFailure) -> WireScalar {
    if field.type == .bool {
      guard text == "true" || text == "false" else { throw JSONFailure("expected \"true\" or \"false\" as key") }
      return .varint(text == "true" ? 1 : 0)
    }
    return try scalar(.string(text), of: field)
  }

  func mismatch(_ expected: String, _ value: JSONValue) -> JSONFailure {
    JSONFailure("expected \(expected), found \(value.kind)")
  }
}

/// A value that is not a message, as the wire has it.
enum WireScalar {
  case varint(UInt64)
  case fixed32(UInt32)
  case fixed64(UInt64)
  case bytes([UInt8])

  var isDefault: Bool {
    switch self {
    case .varint(let value), .fixed64(let value): value == 0
    case .fixed32(let value): value == 0
    case .bytes(let content): content.isEmpty
    }
  }
}

extension WireWriter {
  mutating func scalar(_ number: Int, _ value: WireScalar) {
    switch value {
    case .varint(let value): varint(number, value)
    case .fixed32(let value): fixed32(number, value)
    case .fixed64(let value): fixed64(number, value)
    case .bytes(let content): bytes(number, content)
    }
  }

  /// A number in a packed list.
  mutating func packed(_ value: WireScalar) {
    switch value {
    case .varint(let value): varint(value)
    case .fixed32(let value): fixed32(value)
    case .fixed64(let value): fixed64(value)
    // Strings and bytes are never packed.
    case .bytes: break
    }
  }
}
