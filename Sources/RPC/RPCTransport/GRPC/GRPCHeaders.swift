import Core
import RPCCore

/// How a call's headers and trailers look on the wire.
enum GRPCHeaders {
  /// A request's headers in parts.
  struct Request {
    var isPost = false
    var isGRPC = false
    var binding: MethodBinding?
    /// The path, if nobody answers it.
    var unknownPath = ""
    var timeoutNanoseconds: UInt64?
    var hasBadTimeout = false
    var encoding = MessageEncoding.identity
    var acceptsGzip = false
    var metadata = Metadata()
  }

  static func parseRequest(_ headers: HeaderBlock, router: Router) -> Request {
    var request = Request()
    headers.forEach { name, value in
      switch name.count {
      case 7 where name.equals(":method"): request.isPost = value.equals("POST")
      case 5 where name.equals(":path"):
        request.binding = router.binding(path: value)
        if request.binding == nil { request.unknownPath = text(value) }
      case 12 where name.equals("content-type"): request.isGRPC = isGRPC(contentType: value)
      case 12 where name.equals("grpc-timeout"):
        request.timeoutNanoseconds = GRPCTimeout.parse(value)
        request.hasBadTimeout = request.timeoutNanoseconds == nil
      case 13 where name.equals("grpc-encoding"): request.encoding = MessageEncoding(header: value)
      case 20 where name.equals("grpc-accept-encoding"):
        request.acceptsGzip = request.acceptsGzip || MessageEncoding.isGzip(in: value)
      default: add(name, value, to: &request.metadata)
      }
    }
    return request
  }

  static func request(
    path: String, authority: String, timeoutNanoseconds: UInt64?, options: CallOptions
  ) -> HeaderBlock {
    var headers = HeaderBlock()
    headers.append(":method", "POST")
    headers.append(":scheme", "https")
    headers.append(":path", path)
    headers.append(":authority", authority)
    headers.append("content-type", "application/grpc")
    headers.append("te", "trailers")
    headers.append("user-agent", "mainstay")
    if let timeoutNanoseconds {
      headers.append(once: "grpc-timeout", GRPCTimeout.format(nanoseconds: timeoutNanoseconds))
    }
    if options.compressesRequests { headers.append("grpc-encoding", "gzip") }
    if options.acceptsCompressedReplies { headers.append("grpc-accept-encoding", MessageEncoding.accepted) }
    add(options.metadata, to: &headers)
    return headers
  }

  static func response(_ metadata: Metadata, compressed: Bool = false) -> HeaderBlock {
    var headers = responseBase
    if compressed { headers.append("grpc-encoding", "gzip") }
    add(metadata, to: &headers)
    return headers
  }

  /// The trailers of a call; nil means OK. Appended to `headers` when nothing else was sent.
  static func status(_ error: RPCError?, metadata: Metadata, appendedTo headers: HeaderBlock = .init()) -> HeaderBlock {
    if error == nil, metadata.isEmpty, headers.count == 0 { return okTrailers }
    var block = headers
    block.append("grpc-status", String(error?.code.rawValue ?? 0))
    if let error {
      if !error.message.isEmpty {
        block.append("grpc-message", PercentEncoding.encode(error.message, maximumBytes: maximumMessageBytes))
      }
      if let details = StatusDetails.encode(error) {
        block.append("grpc-status-details-bin", Base64.encode(details, padded: false))
      }
      add(error.metadata, to: &block)
    }
    add(metadata, to: &block)
    return block
  }

  /// Whether these headers hold the status of a call.
  static func hasStatus(_ headers: HeaderBlock) -> Bool { headers.first("grpc-status") != nil }

  /// The status and metadata in trailers, or in headers that are all there is.
  static func parseStatus(_ headers: HeaderBlock) -> (error: RPCError?, metadata: Metadata) {
    let metadata = parseMetadata(headers)
    guard let number = headers.first("grpc-status") else {
      return (RPCError(.internal, "the reply ended without a status"), metadata)
    }
    let code = Int(number).flatMap(StatusCode.init(rawValue:)) ?? .unknown
    guard code != .ok else { return (nil, metadata) }
    let message = headers.first("grpc-message").map(PercentEncoding.decode) ?? ""
    let details = headers.first("grpc-status-details-bin").flatMap { Base64.decode($0) }.map(StatusDetails.decode) ?? []
    return (RPCError(code, message, details: details, metadata: metadata), metadata)
  }

  static func parseMetadata(_ headers: HeaderBlock) -> Metadata {
    var metadata = Metadata()
    headers.forEach { add($0, $1, to: &metadata) }
    return metadata
  }

  /// The status that an HTTP status stands for when there is no gRPC status (http-grpc-status-mapping.md of gRPC).
  static func error(httpStatus: String) -> RPCError {
    let code: StatusCode =
      switch httpStatus {
      case "400": .internal
      case "401": .unauthenticated
      case "403": .permissionDenied
      case "404": .unimplemented
      case "429", "502", "503", "504": .unavailable
      default: .unknown
      }
    return RPCError(code, "the server answered HTTP \(httpStatus) and not gRPC")
  }

  /// Most bytes of an encoded message: with the details it must stay below the 8 KiB of headers that peers take for sure.
  private static let maximumMessageBytes = 2_048
  private static let responseBase = HeaderBlock([(":status", "200"), ("content-type", "application/grpc")])
  private static let okTrailers = HeaderBlock([("grpc-status", "0")])

  /// Whether a reply's headers announce gRPC.
  static func isGRPC(_ headers: HeaderBlock) -> Bool {
    var isGRPC = false
    headers.forEach { name, value in
      if name.equals("content-type") { isGRPC = self.isGRPC(contentType: value) }
    }
    return isGRPC
  }

  /// The status of a call whose metadata is larger than its client takes.
  static func tooLarge(_ headers: HeaderBlock, limit: Int) -> RPCError {
    RPCError(
      .resourceExhausted, "the reply's metadata has \(headers.listSize) bytes; the client takes at most \(limit)")
  }

  /// "application/grpc", alone or with "+proto" or a parameter behind it.
  static func isGRPC(contentType: UnsafeRawBufferPointer) -> Bool {
    contentType.equals("application/grpc") || contentType.starts(with: "application/grpc+")
      || contentType.starts(with: "application/grpc;")
  }

  private static func text(_ value: UnsafeRawBufferPointer) -> String { String(decoding: value, as: UTF8.self) }

  /// Headers that belong to HTTP/2 and gRPC, and not to the caller's metadata.
  private static func isReserved(_ name: UnsafeRawBufferPointer) -> Bool {
    name.first == UInt8(ascii: ":") || name.equals("te") || name.equals("content-type") || name.equals("user-agent")
      || name.equals("content-length")
      || name.starts(with: "grpc-") && !name.equals("grpc-previous-rpc-attempts")
        && !name.equals("grpc-retry-pushback-ms")
  }

  private static func add(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, to metadata: inout Metadata)
  {
    guard !isReserved(name) else { return }
    let key = text(name)
    guard key.hasSuffix("-bin") else { return metadata.add(key, text(value)) }
    // Several binary values may stand in one header, with commas between them.
    for part in text(value).split(separator: ",", omittingEmptySubsequences: false) {
      if let bytes = Base64.decode(part.filter { $0 != " " }) { metadata.addBinary(key, bytes) }
    }
  }

  private static func add(_ metadata: Metadata, to headers: inout HeaderBlock) {
    for entry in metadata.entries where isSendable(entry) {
      if entry.key.hasSuffix("-bin") {
        headers.append(entry.key, Base64.encode(entry.value, padded: false))
      } else {
        // Space around a value is no part of it, and nghttp2 refuses it.
        let isSpace = { (byte: UInt8) in byte == UInt8(ascii: " ") }
        let value = entry.value.drop(while: isSpace)
        let end = value.lastIndex { !isSpace($0) }.map { $0 + 1 } ?? value.startIndex
        headers.append(name: entry.key.utf8, value: value[..<end])
      }
    }
  }

  /// Headers that gRPC sets itself, and those of HTTP/1 that make an HTTP/2 message malformed (RFC 9113, 8.2.2).
  private static let unsendable: Set<String> = [
    "te", "content-type", "user-agent", "host", "content-length", "connection", "keep-alive", "proxy-connection",
    "transfer-encoding", "upgrade",
  ]

  /// What callers may read and handlers may say: how often a call was tried, and when it may be tried again.
  private static let ofRetries: Set<String> = ["grpc-previous-rpc-attempts", "grpc-retry-pushback-ms"]

  /// Keys of [a-z0-9_.-], values of printable ASCII; nothing else may become a header, so that no caller can smuggle one in.
  private static func isSendable(_ entry: Metadata.Entry) -> Bool {
    let key = entry.key.utf8
    let isKey =
      !key.isEmpty
      && key.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || [45, 46, 95].contains($0) }
    let isReserved = unsendable.contains(entry.key) || entry.key.hasPrefix("grpc-") && !ofRetries.contains(entry.key)
    return isKey && !isReserved
      && (entry.key.hasSuffix("-bin") || entry.value.allSatisfy { (0x20...0x7E).contains($0) })
  }
}
