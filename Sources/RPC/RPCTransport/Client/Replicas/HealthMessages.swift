import RPCCore

/// The two messages of grpc.health.v1, whose one field each is so simple that this layer need not know generated code.
enum HealthMessages {
  /// HealthCheckResponse.ServingStatus.SERVING.
  private static let serving: UInt64 = 1

  /// HealthCheckRequest in a gRPC frame: field 1, the name of the service.
  static func request(_ service: String) -> [UInt8] {
    var frame = [UInt8](repeating: 0, count: framePrefixLength)
    let name = Array(service.utf8.prefix(127))
    if !name.isEmpty { frame += [0x0a, UInt8(name.count)] + name }
    setFramePrefix(&frame, flag: 0)
    return frame
  }

  /// Whether a HealthCheckResponse says SERVING: field 1, of which the last one counts; other fields are passed over. Nil for what is
  /// no message.
  static func isServing(_ message: [UInt8]) -> Bool? {
    var rest = message[...]
    var status: UInt64 = 0
    while !rest.isEmpty {
      guard let key = varint(&rest) else { return nil }
      switch key & 7 {
      case 0:
        guard let value = varint(&rest) else { return nil }
        if key >> 3 == 1 { status = value }
      case 1, 5:
        let count = key & 7 == 1 ? 8 : 4
        guard rest.count >= count else { return nil }
        rest = rest.dropFirst(count)
      case 2:
        guard let length = varint(&rest), length <= UInt64(rest.count) else { return nil }
        rest = rest.dropFirst(Int(length))
      default: return nil
      }
    }
    return status == serving
  }

  private static func varint(_ rest: inout ArraySlice<UInt8>) -> UInt64? {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 64, by: 7) {
      guard let byte = rest.popFirst() else { return nil }
      value |= UInt64(byte & 0x7f) << shift
      if byte & 0x80 == 0 { return value }
    }
    return nil
  }
}
