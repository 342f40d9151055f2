import RPCCore
import RPCTransport

/// Answers GET and POST of "/" with a line of text, for conformance suites that need a page and do not know gRPC.
struct RootPage: StreamAcceptor {
  func accept(_ stream: HTTP2Stream, peer: Peer, loop: EventLoop) -> (any HTTP2StreamHandler)? { Answer(stream) }

  private final class Answer: HTTP2StreamHandler {
    private static let page = Array("mainstay-interop serves grpc.testing.TestService\n".utf8)
    private let stream: HTTP2Stream
    private var status = "200"

    init(_ stream: HTTP2Stream) { self.stream = stream }

    func received(headers: HeaderBlock, endStream: Bool) {
      let method = headers.first(":method") ?? ""
      if !["GET", "HEAD", "POST"].contains(method) {
        status = "405"
      } else if headers.first(":path") != "/" {
        status = "404"
      }
      // What is sent to any other path than "/" by POST was meant to be a gRPC call.
      if status == "404", method == "POST" { status = "415" }
    }

    func received(data: UnsafeRawBufferPointer) { stream.consume(data.count) }

    func receivedEnd(trailers: HeaderBlock?) {
      guard status == "200" else { return stream.respond(HeaderBlock([(":status", status)]), endStream: true) }
      stream.respond(HeaderBlock([(":status", status), ("content-type", "text/plain; charset=utf-8")]))
      stream.write(Answer.page)
      stream.finish()
    }

    func becameWritable() {}
    func closed(errorCode: UInt32) {}
  }
}
