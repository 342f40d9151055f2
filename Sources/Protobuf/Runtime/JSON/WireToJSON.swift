import Core

extension JSONTranscoder {
  /// A message's wire format into JSON.
  func write(
    _ wire: ArraySlice<UInt8>, as message: ProtoMessage, to writer: inout JSONWriter, depth: Int
  ) throws(JSONFailure) {
    guard depth <= JSONTranscoder.maximumDepth else {
      throw JSONFailure("nested deeper than \(JSONTranscoder.maximumDepth)")
    }
    if let type = WellKnownType(rawValue: message.fullName) {
      return try write(wire, as: type, message, to: &writer, depth: depth)
    }
    writer.beginObject()
    try writeMembers(wire, as: message, to: &writer, depth: depth)
    writer.endObject()
  }

  /// The fields without the braces.
  func writeMembers(
    _ wire: ArraySlice<UInt8>, as message: ProtoMessage, to writer: inout JSONWriter, depth: Int
  ) throws(JSONFailure) {
    let content = try contents(of: wire, as: message)
    for field in message.fields {
      guard let values = content[field.number] else { continue }
      try naming(field.name) { () throws(JSONFailure) in
        try write(values, of: field, to: &writer, depth: depth)
      }
    }
  }

  /// The values of each known field in the order of the wire; of a oneof only the last field.
  func contents(
    of wire: ArraySlice<UInt8>, as message: ProtoMessage
  ) throws(JSONFailure) -> [Int: [WireReader.Value]] {
    var content: [Int: [WireReader.Value]] = [:]
    var reader = WireReader(wire)
    do throws(WireFailure) {
      while let (number, value) = try reader.next() {
        guard let field = message.field(number: number) else { continue }
        if let oneof = field.oneofIndex {
          for other in message.fields where other.oneofIndex == oneof && other.number != number {
            content[other.number] = nil
          }
        }
        content[number, default: []].append(value)
      }
    } catch {
      throw JSONFailure(error.description)
    }
    return content
  }

  private func write(
    _ values: [WireReader.Value], of field: ProtoField, to writer: inout JSONWriter, depth: Int
  ) throws(JSONFailure) {
    if field.isMap { return try writeMap(values, of: field, to: &writer, depth: depth) }
    if field.isRepeated { return try writeList(values, of: field, to: &writer, depth: depth) }
    if field.type == .message {
      // A message that comes in parts is the parts one behind the other.
      var whole: [UInt8] = []
      for part in values { whole += try bytes(part) }
      writer.name(field.jsonName)
      return try write(whole[...], as: try message(of: field), to: &writer, depth: depth + 1)
    }
    guard let last = values.last else { return }
    if field.oneofIndex != nil || !isDefault(last) {
      writer.name(field.jsonName)
      try writeScalar(last, of: field, to: &writer)
    }
  }

  private func isDefault(_ value: WireReader.Value) -> Bool {
    switch value {
    case .varint(let number), .fixed64(let number): number == 0
    case .fixed32(let number): number == 0
    case .bytes(let content): content.isEmpty
    }
  }

  private func writeList(
    _ values: [WireReader.Value], of field: ProtoField, to writer: inout JSONWriter, depth: Int
  ) throws(JSONFailure) {
    let elements = field.type.wireType == 2 ? values : try unpacked(values, of: field.type)
    guard !elements.isEmpty else { return }
    writer.name(field.jsonName)
    writer.beginArray()
    for (index, element) in elements.enumerated() {
      writer.beginElement()
      try naming("[\(index)]") { () throws(JSONFailure) in
        if field.type == .message {
          try write(try bytes(element), as: try message(of: field), to: &writer, depth: depth + 1)
        } else {
          try writeScalar(element, of: field, to: &writer)
        }
      }
    }
    writer.endArray()
  }

  private func writeMap(
    _ values: [WireReader.Value], of field: ProtoField, to writer: inout JSONWriter, depth: Int
  ) throws(JSONFailure) {
    let entry = try message(of: field)
    guard let keyField = entry.field(number: 1), let valueField = entry.field(number: 2) else {
      throw JSONFailure("\(entry.fullName) is no map entry")
    }
    // The last value of a key counts; keys stay in the order in which they first came.
    var order: [String] = []
    // As bytes: see `isSame`.
    var latest: [[UInt8]: WireReader.Value] = [:]
    for value in values {
      let content = try contents(of: try bytes(value), as: entry)
      let key = try mapKey(content[1]?.last ?? defaultValue(of: keyField), of: keyField)
      let value = content[2]?.last ?? defaultValue(of: valueField)
      if latest.updateValue(value, forKey: Array(key.utf8)) == nil { order.append(key) }
    }
    writer.name(field.jsonName)
    writer.beginObject()
    for key in order {
      guard let value = latest[Array(key.utf8)] else { continue }
      writer.name(key)
      try naming("[\"\(key)\"]") { () throws(JSONFailure) in
        if valueField.type == .message {
          try write(try bytes(value), as: try message(of: valueField), to: &writer, depth: depth + 1)
        } else {
          try writeScalar(value, of: valueField, to: &writer)
        }
      }
    }
    writer.endObject()
  }

  private func defaultValue(of field: ProtoField) -> WireReader.Value {
    switch field.type.wireType {
    case 1: .fixed64(0)
    case 2: .bytes([])
    case 5: .fixed32(0)
    default: .varint(0)
    }
  }

  private func mapKey(_ value: WireReader.Value, of field: ProtoField) throws(JSONFailure) -> String {
    if field.type == .string { return try string(value) }
    var writer = JSONWriter(pretty: false)
    try writeScalar(value, of: field, to: &writer)
    // 64-bit integers are strings already.
    return String(decoding: writer.bytes.filter { $0 != UInt8(ascii: "\"") }, as: UTF8.self)
  }

  /// The numbers of a list, packed or not.
  private func unpacked(
    _ values: [WireReader.Value], of type: ProtoFieldType
  ) throws(JSONFailure) -> [WireReader.Value] {
    var numbers: [WireReader.Value] = []
    do throws(WireFailure) {
      for value in values {
        guard case .bytes(let content) = value else {
          numbers.append(value)
          continue
        }
        var reader = WireReader(content)
        while !reader.isAtEnd {
          switch type.wireType {
          case 1: numbers.append(.fixed64(try reader.fixed64()))
          case 5: numbers.append(.fixed32(try reader.fixed32()))
          default: numbers.append(.varint(try reader.varint()))
          }
        }
      }
    } catch {
      throw JSONFailure(error.description)
    }
    return numbers
  }

  func bytes(_ value: WireReader.Value) throws(JSONFailure) -> ArraySlice<UInt8> {
    guard case .bytes(let content) = value else { throw JSONFailure("has the wrong wire type") }
    return content
  }

  func string(_ value: WireReader.Value) throws(JSONFailure) -> String {
    guard let text = String(validating: try bytes(value), as: UTF8.self) else { throw JSONFailure("invalid UTF-8") }
    return text
  }

  /// A value that is not a message.
  func writeScalar(
    _ value: WireReader.Value, of field: ProtoField, to writer: inout JSONWriter
  ) throws(JSONFailure) {
    switch (field.type, value) {
    case (.int32, .varint(let number)): writer.raw("\(Int32(truncatingIfNeeded: number))")
    case (.uint32, .varint(let number)): writer.raw("\(UInt32(truncatingIfNeeded: number))")
    case (.sint32, .varint(let number)): writer.raw("\(Int32(truncatingIfNeeded: unzigzag(number & 0xFFFF_FFFF)))")
    case (.sfixed32, .fixed32(let number)): writer.raw("\(Int32(bitPattern: number))")
    case (.fixed32, .fixed32(let number)): writer.raw("\(number)")
    case (.int64, .varint(let number)): writer.quoted("\(Int64(bitPattern: number))")
    case (.uint64, .varint(let number)), (.fixed64, .fixed64(let number)): writer.quoted("\(number)")
    case (.sint64, .varint(let number)): writer.quoted("\(unzigzag(number))")
    case (.sfixed64, .fixed64(let number)): writer.quoted("\(Int64(bitPattern: number))")
    case (.bool, .varint(let number)): writer.raw(number == 0 ? "false" : "true")
    case (.float, .fixed32(let bits)): write(Float(bitPattern: bits), to: &writer)
    case (.double, .fixed64(let bits)): write(Double(bitPattern: bits), to: &writer)
    case (.string, _): writer.quoted(try string(value))
    case (.bytes, .bytes(let content)): writer.quoted(Base64.encode(content))
    case (.enumeration, .varint(let number)):
      let number = Int32(truncatingIfNeeded: number)
      let known = field.typeIndex.flatMap { pool.enums[$0].values.first { $0.number == number } }
      if let known { writer.quoted(known.name) } else { writer.raw("\(number)") }
    default: throw JSONFailure("has the wrong wire type")
    }
  }

  private func unzigzag(_ value: UInt64) -> Int64 { Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1) }

  /// The shortest digits that read back as the same number.
  private func write<T: BinaryFloatingPoint & CustomStringConvertible>(_ value: T, to writer: inout JSONWriter) {
    if value.isNaN {
      writer.quoted("NaN")
    } else if value.isInfinite {
      writer.quoted(value < 0 ? "-Infinity" : "Infinity")
    } else {
      writer.raw(value.description)
    }
  }
}
