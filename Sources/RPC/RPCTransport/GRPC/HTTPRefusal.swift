/// Answers a stream that is no gRPC call by HTTP alone, whatever its body is. The answer waits for the end of the request, since some HTTP clients
/// take an answer that is followed by a reset for an error, but not for more than `maximumBytes` of it.
public final class HTTPRefusal: HTTP2StreamHandler {
  /// Bytes of a request that are read and dropped; who sends more is answered without waiting for the end.
  public static let maximumBytes = 65_536

  private let stream: HTTP2Stream
  private let headers: HeaderBlock
  private let body: [UInt8]
  private var receivedBytes = 0

  /// Answers with these headers, and with a body if there is one.
  public init(_ stream: HTTP2Stream, _ headers: HeaderBlock, _ body: [UInt8] = []) {
    self.stream = stream
    self.headers = headers
    self.body = body
  }

  convenience init(_ stream: HTTP2Stream, status: String) { self.init(stream, HeaderBlock([(":status", status)])) }

  /// Takes the stream over if its headers are no gRPC call's: 405 for another method than POST, 415 for another content type.
  public static func takes(_ stream: HTTP2Stream, _ headers: HeaderBlock) -> Bool {
    let isPost = headers.first(":method") == "POST"
    guard !isPost || !GRPCHeaders.isGRPC(headers) else { return false }
    // Who may not use a method is told which one to use (RFC 9110, 15.5.6).
    stream.handler = HTTPRefusal(
      stream, HeaderBlock(isPost ? [(":status", "415")] : [(":status", "405"), ("allow", "POST")]))
    return true
  }

  /// They are known by now.
  public func received(headers: HeaderBlock, endStream: Bool) {}

  /// Drops them.
  public func received(data: UnsafeRawBufferPointer) {
    stream.consume(data.count)
    receivedBytes += data.count
    if receivedBytes > HTTPRefusal.maximumBytes { answer() }
  }

  /// Answers.
  public func receivedEnd(trailers: HeaderBlock?) { answer() }

  /// Nothing waits for this.
  public func becameWritable() {}

  /// Nothing is held.
  public func closed(errorCode: UInt32) {}

  private func answer() {
    guard !stream.isFinished else { return }
    stream.respond(headers, endStream: body.isEmpty)
    stream.write(body)
    stream.finish()
  }
}
