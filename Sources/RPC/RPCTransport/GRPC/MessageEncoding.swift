import RPCCore

/// What grpc-encoding says of a stream's compressed messages (compression.md of gRPC).
enum MessageEncoding {
  case identity
  case gzip
  case unknown

  /// What we take, as grpc-accept-encoding says it.
  static let accepted = "identity,gzip"

  /// The answer to a call in an encoding that we do not know; goes with grpc-accept-encoding.
  static let unimplemented = RPCError(.unimplemented, "this grpc-encoding is not known here; use identity or gzip")

  /// The header's value.
  init(header value: UnsafeRawBufferPointer) {
    self = value.equals("identity") ? .identity : value.equals("gzip") ? .gzip : .unknown
  }

  /// The encoding of a reply, by its headers.
  init(_ headers: HeaderBlock) {
    var encoding = MessageEncoding.identity
    headers.forEach { name, value in
      if name.equals("grpc-encoding") { encoding = MessageEncoding(header: value) }
    }
    self = encoding
  }

  /// Whether a grpc-accept-encoding such as "identity, deflate, gzip" names gzip.
  static func isGzip(in value: UnsafeRawBufferPointer) -> Bool {
    var start = 0
    for index in 0...value.count where index == value.count || value[index] == UInt8(ascii: ",") {
      while start < index, value[start] == UInt8(ascii: " ") { start += 1 }
      var end = index
      while end > start, value[end - 1] == UInt8(ascii: " ") { end -= 1 }
      if UnsafeRawBufferPointer(rebasing: value[start..<end]).equals("gzip") { return true }
      start = index + 1
    }
    return false
  }
}

/// Writes the prefix into the room that a framed message has for it, compressed if that is wished and makes it smaller.
func finishFrame(_ framed: consuming [UInt8], compressed: Bool) -> [UInt8] {
  if compressed, let smaller = Gzip.deflate(framed: framed) { return smaller }
  setFramePrefix(&framed, flag: 0)
  return framed
}
