import Core
import Protobuf
import RPCCore
import RPCTransport

/// What the headers of a unary call in the Connect protocol say (connectrpc.com, protocol reference).
struct ConnectRequest {
  /// How messages are written.
  enum Codec {
    case json
    case proto

    init?(contentType: String) {
      switch contentType.prefix(while: { $0 != ";" && $0 != " " }).lowercased() {
      case "application/json": self = .json
      case "application/proto": self = .proto
      default: return nil
      }
    }

    var contentType: String { self == .json ? "application/json" : "application/proto" }
  }

  /// Digits of a timeout in milliseconds.
  private static let timeoutDigits = 10

  let codec: Codec
  let path: String
  var isGzip = false
  var timeoutNanoseconds: UInt64?
  /// The message of a GET, as it stands in the query.
  var queryMessage: [UInt8]?

  /// Whether it is a call by GET whose messages are written in a way that is not known: 415 says so, as for a content type.
  static func hasUnknownCodec(_ headers: HeaderBlock) -> Bool {
    guard headers.first(":method") == "GET", let query = query(headers), query["message"] != nil else { return false }
    return query["encoding"].map { Codec(contentType: "application/\($0)") == nil } ?? false
  }

  /// Nil if it is no such call; throws what is wrong with one.
  init?(_ headers: HeaderBlock) throws(RPCError) {
    let target = headers.first(":path") ?? ""
    switch headers.first(":method") {
    case "POST":
      guard let codec = headers.first("content-type").flatMap(Codec.init(contentType:)) else { return nil }
      self.codec = codec
      path = target
      try readHeaders(headers, encoding: headers.first("content-encoding") ?? "identity")
    case "GET":
      guard let query = ConnectRequest.query(headers), let message = query["message"],
        let codec = query["encoding"].flatMap({ Codec(contentType: "application/\($0)") })
      else { return nil }
      self.codec = codec
      path = String(target.prefix { $0 != "?" })
      try readQuery(query, message: message)
      try readHeaders(headers, encoding: query["compression"] ?? "identity")
    default: return nil
    }
  }

  private mutating func readHeaders(_ headers: HeaderBlock, encoding: String) throws(RPCError) {
    switch encoding {
    case "identity", "": break
    case "gzip": isGzip = true
    default: throw RPCError(.unimplemented, "compression \(encoding) is not known; there are gzip and identity")
    }
    if let version = headers.first("connect-protocol-version"), version != "1" {
      throw RPCError(.invalidArgument, "connect-protocol-version: expected 1")
    }
    guard let timeout = headers.first("connect-timeout-ms") else { return }
    guard timeout.utf8.count <= ConnectRequest.timeoutDigits, let milliseconds = UInt64(timeout) else {
      throw RPCError(.invalidArgument, "connect-timeout-ms: expected at most ten digits")
    }
    timeoutNanoseconds = milliseconds * 1_000_000
  }

  private mutating func readQuery(_ query: [String: String], message: String) throws(RPCError) {
    if let version = query["connect"], version != "v1" { throw RPCError(.invalidArgument, "connect: expected v1") }
    guard query["base64"] == "1" else {
      queryMessage = PercentEncoding.decodedBytes(message.replacing("+", with: " "))
      return
    }
    guard let bytes = Base64.decode(String(decoding: PercentEncoding.decodedBytes(message), as: UTF8.self)) else {
      throw RPCError(.invalidArgument, "message: expected base64 in its form for URLs")
    }
    queryMessage = bytes
  }

  /// The parameters behind the path; nil if there are none.
  private static func query(_ headers: HeaderBlock) -> [String: String]? {
    let target = headers.first(":path") ?? ""
    guard let mark = target.firstIndex(of: "?") else { return nil }
    var parameters: [String: String] = [:]
    for pair in target[target.index(after: mark)...].split(separator: "&") {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      parameters[String(parts[0])] = parts.count == 2 ? String(parts[1]) : ""
    }
    return parameters
  }
}
