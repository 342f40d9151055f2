/// Turns messages into JSON and back by their descriptors, after the canonical mapping of protobuf's language guide.
///
/// Reading takes lowerCamelCase and proto names, and refuses names that the message does not have. Writing leaves out fields
/// at their defaults. google.protobuf.Struct, Value and ListValue have no place in Mainstay's API and are refused.
public struct JSONTranscoder: Sendable {
  /// Messages inside messages, as for the wire format.
  static let maximumDepth = DecodingLimits.standard.maximumDepth

  /// The types that can be named.
  public let pool: DescriptorPool

  /// A transcoder for the types of a pool.
  public init(_ pool: DescriptorPool) { self.pool = pool }

  /// JSON text (UTF-8) into the wire format of the message of this full name.
  public func encode(json: [UInt8], as messageName: String) throws(JSONFailure) -> [UInt8] {
    let value = try JSONParser.parse(json)
    return try wire(of: value, as: try message(named: messageName), depth: 1)
  }

  /// The wire format of the message of this full name into JSON text; `pretty` puts each member on a line of its own.
  public func decode(_ wire: [UInt8], as messageName: String, pretty: Bool = false) throws(JSONFailure) -> String {
    var writer = JSONWriter(pretty: pretty)
    try write(wire[...], as: try message(named: messageName), to: &writer, depth: 1)
    return String(decoding: writer.bytes, as: UTF8.self)
  }

  func message(named name: String) throws(JSONFailure) -> ProtoMessage {
    guard let message = pool.message(named: name) else { throw JSONFailure("unknown message type \(name)") }
    return message
  }

  func message(of field: ProtoField) throws(JSONFailure) -> ProtoMessage {
    guard let index = field.typeIndex else { throw JSONFailure("unknown message type \(field.typeName)") }
    return pool.messages[index]
  }

  /// The type that an Any's URL names.
  func message(typeURL: String) throws(JSONFailure) -> ProtoMessage {
    guard let slash = typeURL.lastIndex(of: "/") else { throw JSONFailure("type URL \"\(typeURL)\" without a slash") }
    return try message(named: String(typeURL[typeURL.index(after: slash)...]))
  }
}

/// Messages with a JSON form of their own.
enum WellKnownType: String {
  case any = "google.protobuf.Any"
  case timestamp = "google.protobuf.Timestamp"
  case duration = "google.protobuf.Duration"
  case fieldMask = "google.protobuf.FieldMask"
  case empty = "google.protobuf.Empty"
  case boolValue = "google.protobuf.BoolValue"
  case int32Value = "google.protobuf.Int32Value"
  case int64Value = "google.protobuf.Int64Value"
  case uint32Value = "google.protobuf.UInt32Value"
  case uint64Value = "google.protobuf.UInt64Value"
  case floatValue = "google.protobuf.FloatValue"
  case doubleValue = "google.protobuf.DoubleValue"
  case stringValue = "google.protobuf.StringValue"
  case bytesValue = "google.protobuf.BytesValue"
  case structure = "google.protobuf.Struct"
  case value = "google.protobuf.Value"
  case list = "google.protobuf.ListValue"

  /// A message with one field `value` (1) whose JSON is that field's.
  var isWrapper: Bool {
    switch self {
    case .any, .timestamp, .duration, .fieldMask, .empty, .structure, .value, .list: false
    default: true
    }
  }
}
