import Core
import RPCCore
import RPCTransport

/// A call in gRPC-Web (PROTOCOL-WEB.md of gRPC), binary or in base64: gRPC's frames, with the trailers as the last frame of the
/// body, since browsers show no others. Confined to its loop.
final class GRPCWebCall: HTTP2StreamHandler, CallerSide {
  /// A frame that holds trailers.
  private static let trailersFlag: UInt8 = 0x80

  let wire: StaticString = "grpc-web"
  private let stream: HTTP2Stream
  private let cors: CORS
  private let isText: Bool
  private var call: ForwardedCall?
  private var corsHeaders: [(String, String)] = []
  private var decoder = Base64Stream()
  private var hasResponded = false
  /// Bytes of the body that came, and of what they stand for, for which no credit was given.
  private var owed = (wire: 0, decoded: 0)

  /// Nil if the content type is another one.
  init?(_ stream: HTTP2Stream, _ headers: HeaderBlock, cors: CORS) {
    guard headers.first(":method") == "POST", let type = headers.first("content-type") else { return nil }
    switch type.prefix(while: { $0 != ";" && $0 != "+" && $0 != " " }) {
    case "application/grpc-web": isText = false
    case "application/grpc-web-text": isText = true
    default: return nil
    }
    self.stream = stream
    self.cors = cors
  }

  /// Passes the call on.
  func begin(_ call: ForwardedCall) { self.call = call }

  var isCongested: Bool { stream.isCongested }
  var isFinished: Bool { stream.isFinished }

  // MARK: from the caller

  func received(headers: HeaderBlock, endStream: Bool) {
    corsHeaders = cors.reply(to: headers)
    let inner = headers.asGRPC(path: headers.first(":path") ?? "") {
      $0.equals("x-grpc-web") || $0.equals("x-user-agent")
    }
    call?.received(headers: inner, endStream: endStream)
  }

  func received(data: UnsafeRawBufferPointer) {
    guard isText else {
      call?.received(data: data)
      return
    }
    guard let decoded = decoder.decode(data) else { return refuse() }
    owed.wire += data.count
    owed.decoded += decoded.count
    if decoded.isEmpty { return consume(0) }
    decoded.withUnsafeBytes { call?.received(data: $0) }
  }

  func receivedEnd(trailers: HeaderBlock?) {
    if isText, !decoder.isComplete { return refuse() }
    call?.receivedEnd(trailers: nil)
  }

  func becameWritable() { call?.becameWritable() }

  func closed(errorCode: UInt32) {
    call?.closed(errorCode: errorCode)
    call = nil
  }

  private func refuse() {
    guard !stream.isFinished else { return }
    guard !hasResponded else { return stream.reset(HTTP2ErrorCode.cancel) }
    let error = RPCError(.invalidArgument, "the body is not base64, as application/grpc-web-text is")
    call?.closed(errorCode: HTTP2ErrorCode.cancel)
    call = nil
    respond(error.responseHeaders, endStream: true)
  }

  // MARK: to the caller

  func respond(_ headers: HeaderBlock, endStream: Bool) {
    var reply = HeaderBlock([
      (":status", headers.first(":status") ?? "200"),
      ("content-type", isText ? "application/grpc-web-text+proto" : "application/grpc-web+proto"),
    ])
    for (name, value) in corsHeaders { reply.append(name, value) }
    headers.forEach { name, value in
      if name.first != UInt8(ascii: ":"), !name.equals("content-type") { reply.append(name: name, value: value) }
    }
    hasResponded = true
    stream.respond(reply, endStream: endStream)
  }

  func write(_ bytes: consuming [UInt8]) {
    // Each piece ends with its padding, so that a message need not wait for the next one to be whole.
    stream.write(isText ? Array(Base64.encode(bytes, padded: true).utf8) : bytes)
  }

  func finish(trailers: HeaderBlock?) {
    var lines: [UInt8] = []
    trailers?.forEach { name, value in
      lines += Array(name) + Array(": ".utf8) + Array(value) + Array("\r\n".utf8)
    }
    let length = UInt32(lines.count).bigEndian
    write([GRPCWebCall.trailersFlag] + withUnsafeBytes(of: length) { Array($0) } + lines)
    stream.finish()
  }

  func keep(_ count: Int) -> Bool { stream.keep(count) }

  func consume(_ count: Int) {
    guard isText else { return stream.consume(count) }
    owed.decoded -= min(count, owed.decoded)
    // What is decoded is three quarters of what came: all is given back with the last of it.
    let given = owed.decoded == 0 ? owed.wire : min(owed.wire, count / 3 * 4)
    owed.wire -= given
    stream.consume(given)
  }
}

/// Base64 that comes in pieces, with padding wherever the sender has paused.
struct Base64Stream {
  private var rest: [UInt8] = []

  /// Whether nothing is left over.
  var isComplete: Bool { rest.isEmpty }

  /// What the next piece stands for; nil if it is not base64.
  mutating func decode(_ piece: UnsafeRawBufferPointer) -> [UInt8]? {
    rest += piece
    let whole = rest.count / 4 * 4
    var decoded: [UInt8] = []
    var begin = 0
    // From one padding to the next.
    while begin < whole {
      var end = begin
      while end < whole, rest[end + 3] != UInt8(ascii: "=") { end += 4 }
      if end < whole { end += 4 }
      guard let bytes = Base64.decode(String(decoding: rest[begin..<end], as: UTF8.self)) else { return nil }
      decoded += bytes
      begin = end
    }
    rest.removeFirst(whole)
    return decoded
  }
}
