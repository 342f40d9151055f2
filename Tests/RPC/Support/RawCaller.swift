import Core
import Logging
import RPCCore
import RPCInProcess
import Testing

@testable import RPCTransport

/// A client that says on HTTP/2 whatever a test wants, to a gRPC server in memory.
struct RawCaller {
  let pipe: HTTP2Pipe
  let probe: Probe

  /// Opens a stream with a gRPC call's headers, some of them replaced, added or, with "", left out; sends the bytes and, unless
  /// told otherwise, the end.
  func open(
    _ method: MethodDescriptor, _ replaced: [(String, String)] = [], _ bytes: [UInt8] = [], ends: Bool = true
  ) throws -> (handler: RecordingHandler, stream: HTTP2Stream) {
    var fields = [
      (":method", "POST"), (":scheme", "https"), (":path", method.path), (":authority", "test"),
      ("content-type", "application/grpc"), ("te", "trailers"),
    ]
    let own = fields.map(\.0)
    for (name, value) in replaced where own.contains(name) { fields[own.firstIndex(of: name) ?? 0].1 = value }
    fields = fields.filter { !$0.1.isEmpty } + replaced.filter { !own.contains($0.0) }
    let handler = RecordingHandler()
    let stream = try #require(pipe.client.open(HeaderBlock(fields), handler: handler))
    stream.write(bytes)
    if ends { stream.finish() }
    return (handler, stream)
  }

  /// Makes a call and waits for its end.
  func call(
    _ method: MethodDescriptor, _ replaced: [(String, String)] = [], _ bytes: [UInt8] = [], ends: Bool = true
  ) async throws -> RecordingHandler {
    let handler = try open(method, replaced, bytes, ends: ends).handler
    await pump { handler.closedWith != nil }
    return handler
  }

  /// Carries bytes, and lets the handlers run, until a condition holds; the suite's time limit is the end of it.
  func pump(until done: () -> Bool) async {
    while !done(), !Task.isCancelled {
      _ = pipe.pump()
      await Task.yield()
    }
  }
}

/// Runs a test with a raw client on its server's loop.
func withRawCaller(
  _ limits: CallLimits = .init(), _ body: nonisolated(nonsending) @Sendable (RawCaller) async throws -> Void
) async throws {
  let loops = try EventLoopGroup(count: 1)
  defer { loops.stop() }
  try await withTaskExecutorPreference(loops.first) { @concurrent () async throws in
    let pipe = try #require(HTTP2Pipe())
    let probe = Probe(loops: loops)
    let end = AcceptingEnd(
      GRPCAcceptor(router: probe.router, limits: limits, logger: Logger(label: "test")), loop: loops.first)
    pipe.server.delegate = end
    try await body(RawCaller(pipe: pipe, probe: probe))
    pipe.cut("the test's end")
    withExtendedLifetime(end) {}
  }
}

/// The server's end of a connection in memory.
final class AcceptingEnd: HTTP2ConnectionDelegate {
  private let acceptor: GRPCAcceptor
  private let loop: EventLoop

  init(_ acceptor: GRPCAcceptor, loop: EventLoop) {
    self.acceptor = acceptor
    self.loop = loop
  }

  func connectionNeedsFlush() {}
  func connectionOpened(_ stream: HTTP2Stream) -> (any HTTP2StreamHandler)? {
    acceptor.accept(stream, peer: Peer(address: "test", certificate: nil), loop: loop)
  }
  func connectionReceivedGoAway() {}
  func connectionClosedStream() {}
}

/// A text message with its prefix, as it goes over the wire.
func framedMessage(_ text: String) -> [UInt8] {
  var bytes = framed(text)
  setFramePrefix(&bytes, flag: 0)
  return bytes
}

/// Keeps what a stream received.
final class RecordingHandler: HTTP2StreamHandler {
  var headers: HeaderBlock?
  var trailers: HeaderBlock?
  var data: [UInt8] = []
  var closedWith: UInt32?
  /// Number of the status that came; nil if none did.
  var code: String? { trailers?.first("grpc-status") }

  func received(headers: HeaderBlock, endStream: Bool) {
    self.headers = headers
    if endStream { trailers = headers }
  }
  func received(data: UnsafeRawBufferPointer) { self.data += data }
  func receivedEnd(trailers: HeaderBlock?) { self.trailers = trailers ?? self.trailers }
  func becameWritable() {}
  func closed(errorCode: UInt32) { closedWith = errorCode }
}
