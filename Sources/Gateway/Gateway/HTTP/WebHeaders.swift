import RPCCore
import RPCTransport

extension HeaderBlock {
  /// The headers of a gRPC call in place of those of a call in another protocol. HTTP/2's own stand first, as they must.
  func asGRPC(path: String, timeoutNanoseconds: UInt64? = nil, dropping isDropped: (UnsafeRawBufferPointer) -> Bool)
    -> HeaderBlock
  {
    var headers = HeaderBlock([
      (":method", "POST"), (":scheme", "https"), (":path", path), (":authority", first(":authority") ?? ""),
      ("content-type", "application/grpc"), ("te", "trailers"),
    ])
    forEach { name, value in
      guard name.first != UInt8(ascii: ":"), !WebHeaders.isOfHTTP(name), !isDropped(name) else { return }
      headers.append(name: name, value: value)
    }
    if let timeoutNanoseconds {
      headers.append("grpc-timeout", GRPCTimeout.format(nanoseconds: timeoutNanoseconds))
    }
    return headers
  }

  /// Adds the fields of another block that are metadata of the call, each with this before its name.
  mutating func appendMetadata(of other: HeaderBlock, prefix: String = "") {
    other.forEach { name, value in
      guard name.first != UInt8(ascii: ":"), !name.starts(with: "grpc-"), !name.equals("content-type") else { return }
      append(name: Array(prefix.utf8) + Array(name), value: value)
    }
  }
}

enum WebHeaders {
  /// Headers that belong to an HTTP request and not to a call.
  static func isOfHTTP(_ name: UnsafeRawBufferPointer) -> Bool {
    name.equals("te") || name.equals("content-type") || name.equals("content-length") || name.equals("accept")
      || name.equals("accept-encoding") || name.equals("accept-language") || name.equals("cookie")
      || name.equals("origin") || name.equals("referer") || name.starts(with: "sec-") || name.equals("priority")
  }
}
