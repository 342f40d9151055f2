import Protobuf

/// How one value of a field looks in Swift and how it passes to and from protobuf-c's structure.
struct FieldForm {
  let field: ProtoField
  let names: SwiftNames

  /// Swift type of one value.
  var valueType: String {
    switch field.type {
    case .double: "Double"
    case .float: "Float"
    case .int32, .sint32, .sfixed32: "Int32"
    case .uint32, .fixed32: "UInt32"
    case .int64, .sint64, .sfixed64: "Int64"
    case .uint64, .fixed64: "UInt64"
    case .bool: "Bool"
    case .string: "String"
    case .bytes: "[UInt8]"
    case .message, .group, .enumeration: names.type(field.typeName)
    }
  }

  /// C type of one value as Swift names it, for lists of it.
  var cType: String {
    switch field.type {
    case .bool: "protobuf_c_boolean"
    case .string: "UnsafeMutablePointer<CChar>?"
    case .bytes: "ProtobufCBinaryData"
    case .message, .group: "UnsafeMutablePointer<\(CNames.type(field.typeName))>?"
    case .enumeration: CNames.type(field.typeName)
    default: valueType
    }
  }

  /// Default of one value.
  var defaultValue: String {
    switch field.type {
    case .bool: "false"
    case .string: "\"\""
    case .bytes: "[]"
    case .message, .group: "\(valueType)()"
    case .enumeration: zeroValue
    default: "0"
    }
  }

  private var zeroValue: String {
    guard let declared = names.pool.enumeration(named: field.typeName),
      let zero = declared.values.first(where: { $0.number == 0 })
    else { return "\(valueType)(rawValue: 0)" }
    return ".\(SwiftNames.enumValue(zero.name, of: declared.name))"
  }

  var isMessage: Bool { field.type == .message }

  /// Swift name of the property.
  var property: String { SwiftNames.quoted(SwiftNames.property(field.name)) }

  /// Member of the C structure.
  var member: String { CNames.swiftMember(field.name) }

  /// Swift value from a C value; a message's is known not to be NULL.
  func fromC(_ expression: String) -> String {
    switch field.type {
    case .bool: "\(expression) != 0"
    case .string: "String(cField: \(expression))"
    case .bytes: "[UInt8](cField: \(expression).data, count: \(expression).len)"
    case .message, .group: "\(valueType)(cMessage: \(expression))"
    case .enumeration: "\(valueType)(rawValue: Int32(truncatingIfNeeded: \(expression).rawValue))"
    default: expression
    }
  }

  /// C value from a Swift value.
  func toC(_ expression: String, in message: ProtoMessage) -> String {
    switch field.type {
    case .bool: "\(expression) ? 1 : 0"
    case .string: "try arena.cString(\(expression), field: \"\(message.fullName).\(field.name)\")"
    case .bytes: "ProtobufCBinaryData(len: \(expression).count, data: arena.copy(\(expression)))"
    case .message, .group:
      "try \(expression).cMessage(in: arena).assumingMemoryBound(to: \(CNames.type(field.typeName)).self)"
    case .enumeration:
      "\(CNames.type(field.typeName))(rawValue: .init(truncatingIfNeeded: \(expression).rawValue))"
    default: expression
    }
  }
}
