import Protobuf

/// One detail of an error: a serialized message and its type.
public struct ErrorDetail: Sendable, Equatable {
  /// Full name of the message, for example "google.rpc.BadRequest".
  public let typeName: String
  /// The message in the wire format.
  public let value: [UInt8]

  /// A detail of any type.
  public init(typeName: String, value: [UInt8]) {
    self.typeName = typeName
    self.value = value
  }

  /// google.rpc.BadRequest.
  public static func badRequest(_ violations: [FieldViolation]) -> ErrorDetail {
    var bytes: [UInt8] = []
    for violation in violations {
      var field: [UInt8] = []
      appendField(1, Array(violation.field.utf8), to: &field)
      appendField(2, Array(violation.description.utf8), to: &field)
      appendField(1, field, to: &bytes)
    }
    return ErrorDetail(typeName: "google.rpc.BadRequest", value: bytes)
  }

  /// google.rpc.ErrorInfo: a reason in capitals that programs can act on, and whose it is.
  public static func errorInfo(reason: String, domain: String) -> ErrorDetail {
    var bytes: [UInt8] = []
    appendField(1, Array(reason.utf8), to: &bytes)
    appendField(2, Array(domain.utf8), to: &bytes)
    return ErrorDetail(typeName: "google.rpc.ErrorInfo", value: bytes)
  }
}

/// One bad field of a request.
public struct FieldViolation: Sendable, Equatable {
  /// Path in proto names, for example "party.person.birth_date"; empty means the request as a whole.
  public let field: String
  /// What is wrong and what is expected.
  public let description: String

  /// A bad field.
  public init(_ field: String, _ description: String) {
    self.field = field
    self.description = description
  }

  /// A request that could not be decoded.
  init(decoding failure: DecodingFailure) {
    self.init(failure.path, failure.reason)
  }
}

/// google.rpc.Status, as grpc-status-details-bin carries it.
public enum StatusDetails {
  /// Most bytes of details that are sent; more would not fit into common header limits. What is over is left out.
  public static let maximumBytes = 4_096

  /// Encodes an error; nil if it has no details, or too many.
  public static func encode(_ error: RPCError) -> [UInt8]? {
    guard !error.details.isEmpty else { return nil }
    var bytes: [UInt8] = [0x08]
    appendVarint(UInt64(error.code.rawValue), to: &bytes)
    appendField(2, Array(error.message.utf8), to: &bytes)
    for detail in error.details {
      var any: [UInt8] = []
      appendField(1, Array("type.googleapis.com/\(detail.typeName)".utf8), to: &any)
      appendField(2, detail.value, to: &any)
      appendField(3, any, to: &bytes)
    }
    return bytes.count <= maximumBytes ? bytes : nil
  }

  /// Decodes the details; what cannot be read is left out, since the status itself stands in grpc-status.
  public static func decode(_ bytes: [UInt8]) -> [ErrorDetail] {
    fields(bytes, number: 3).compactMap { any in
      guard let url = fields(any, number: 1).last else { return nil }
      let name = String(decoding: url, as: UTF8.self).split(separator: "/").last.map(String.init) ?? ""
      return ErrorDetail(typeName: name, value: fields(any, number: 2).last ?? [])
    }
  }

  /// The violations of a google.rpc.BadRequest.
  public static func violations(_ detail: ErrorDetail) -> [FieldViolation] {
    fields(detail.value, number: 1).map { violation in
      let texts = [1, 2].map { String(decoding: fields(violation, number: $0).last ?? [], as: UTF8.self) }
      return FieldViolation(texts[0], texts[1])
    }
  }
}

func appendVarint(_ value: UInt64, to bytes: inout [UInt8]) {
  var rest = value
  while rest >= 0x80 {
    bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
    rest >>= 7
  }
  bytes.append(UInt8(rest))
}

/// A field that holds a number; 0 is left out, as proto3 does.
func appendNumber(_ number: Int, _ value: UInt64, to bytes: inout [UInt8]) {
  guard value > 0 else { return }
  appendVarint(UInt64(number << 3), to: &bytes)
  appendVarint(value, to: &bytes)
}

func appendField(_ number: Int, _ value: [UInt8], to bytes: inout [UInt8]) {
  appendVarint(UInt64(number << 3 | 2), to: &bytes)
  appendVarint(UInt64(value.count), to: &bytes)
  bytes.append(contentsOf: value)
}

/// The length-delimited fields of this number; stops at the first byte that is not protobuf.
private func fields(_ bytes: [UInt8], number: Int) -> [[UInt8]] {
  var position = 0
  func varint() -> UInt64? {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while position < bytes.count, shift < 64 {
      let byte = bytes[position]
      position += 1
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
      shift += 7
    }
    return nil
  }
  var found: [[UInt8]] = []
  while position < bytes.count, let tag = varint() {
    switch tag & 7 {
    case 0: guard varint() != nil else { return found }
    case 1: position += 8
    case 5: position += 4
    case 2:
      guard let length = varint(), length <= UInt64(bytes.count - position) else { return found }
      let end = position + Int(length)
      if tag >> 3 == UInt64(number) { found.append(Array(bytes[position..<end])) }
      position = end
    default: return found
    }
  }
  return found
}
