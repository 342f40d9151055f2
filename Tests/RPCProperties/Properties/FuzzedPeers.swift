import Core
import Logging
import RPCCore
import RPCInProcess
import RPCTransport

/// What must hold for whatever a peer sends, shared by the tests and by libFuzzer. An input's first byte says who hears it:
///
///     0   a server: the rest is what comes over the connection, from its first byte on
///     1   a server: headers as lines "name: value", an empty line, and the data of the request
///     2   a client: the reply's headers, an empty line, its trailers, an empty line, and its data
///
/// In 1 and 2 the frames are right, so that the input reaches what lies behind them: metadata, timeouts, framing, status.
public struct FuzzedPeers: Sendable {
  /// A property that does not hold, and for which input.
  public struct Failure: Error, CustomStringConvertible {
    /// What is wrong.
    public let description: String
  }

  private static let method = MethodDescriptor(service: "fuzz.Calls", name: "Echo", kind: .unary)
  private static let stream = MethodDescriptor(service: "fuzz.Calls", name: "Talk", kind: .bidirectional)
  /// Turns of the loop in which handlers get to answer.
  private static let turns = 8
  /// Only a call that would hang takes so long.
  private static let patience = Duration.seconds(60)

  /// Where it all happens.
  public let loop: EventLoop
  private let acceptor: GRPCAcceptor

  /// Peers on a loop of their own.
  public init() throws {
    loop = try EventLoop()
    var logger = Logger(label: "fuzz") { _ in SwiftLogNoOpLogHandler() }
    logger.logLevel = .critical
    let router = Router([
      MethodBinding(FuzzedPeers.method) { call in
        try await call.send(framed: [UInt8](repeating: 0, count: framePrefixLength) + (try call.receiveOnly()))
      },
      MethodBinding(FuzzedPeers.stream) { call in
        while let message = try await call.receive() {
          try await call.send(framed: [UInt8](repeating: 0, count: framePrefixLength) + message)
        }
      },
    ])
    acceptor = GRPCAcceptor(router: router, logger: logger)
  }

  /// Throws what does not hold.
  public func check(_ input: [UInt8]) async throws {
    guard let kind = input.first else { return }
    let rest = Array(input.dropFirst())
    try await loop.run {
      switch kind % 3 {
      case 0: try await hearBytes(rest)
      case 1: try await hearRequest(rest)
      default: try await hearReply(rest)
      }
    }
  }

  private func hearBytes(_ bytes: [UInt8]) async throws {
    guard let server = HTTP2Connection(role: .server) else { throw Failure(description: "out of memory") }
    let end = AcceptingEnd(acceptor, loop)
    server.delegate = end
    // In two parts, so that something is cut in the middle.
    let middle = bytes.count / 2
    for part in [bytes[..<middle], bytes[middle...]] {
      guard part.withUnsafeBytes({ server.receive($0) }) else { break }
      await Task.yield()
    }
    try finish([server])
  }

  private func hearRequest(_ input: [UInt8]) async throws {
    guard let pipe = HTTP2Pipe() else { throw Failure(description: "out of memory") }
    let end = AcceptingEnd(acceptor, loop)
    pipe.server.delegate = end
    var (headers, data) = FuzzedText.headers(input[...])
    if headers.first(":method") == nil {
      var complete = HeaderBlock([
        (":method", "POST"), (":scheme", "https"), (":path", "/fuzz.Calls/Talk"), ("content-type", "application/grpc"),
      ])
      headers.forEach { complete.append(name: $0, value: $1) }
      headers = complete
    }
    let stream = pipe.client.open(headers, handler: SilentHandler())
    stream?.write(Array(data))
    stream?.finish()
    for _ in 0..<FuzzedPeers.turns {
      _ = pipe.pump()
      await Task.yield()
    }
    try finish([pipe.client, pipe.server])
  }

  private func hearReply(_ input: [UInt8]) async throws {
    var (headers, rest) = FuzzedText.headers(input[...])
    let (trailers, data) = FuzzedText.headers(rest)
    if headers.first(":status") == nil {
      var complete = HeaderBlock([(":status", "200"), ("content-type", "application/grpc")])
      headers.forEach { complete.append(name: $0, value: $1) }
      headers = complete
    }
    let endpoint = InProcessEndpoint(Answering(headers: headers, trailers: trailers, data: Array(data)), loop: loop)
    let options = CallOptions(deadline: Deadline(after: FuzzedPeers.patience, clock: loop.clock))
    do throws(RPCError) {
      _ = try await endpoint.channel().unary(FuzzedPeers.method, framed: [0, 0, 0, 0, 0, 1], options)
    } catch {
      guard !error.message.contains("within the deadline") else { throw Failure(description: "the call hangs") }
      guard error.code != .ok else { throw Failure(description: "an error with the code OK") }
    }
    endpoint.cut("the input's end")
  }

  /// What is left to say is said, and then nothing may be left.
  private func finish(_ connections: [HTTP2Connection]) throws {
    try withUnsafeTemporaryAllocation(byteCount: 65_536, alignment: 16) { buffer in
      for connection in connections {
        while let count = connection.nextOutput(buffer), count > 0 {}
        connection.abort("the input's end")
        guard connection.activeStreams == 0 else { throw Failure(description: "streams are left") }
      }
    }
  }
}

/// Headers as text.
enum FuzzedText {
  /// Lines "name: value" up to an empty line or the end; what is no such line is a name alone. And what follows.
  static func headers(_ input: ArraySlice<UInt8>) -> (HeaderBlock, rest: ArraySlice<UInt8>) {
    var block = HeaderBlock()
    var rest = input
    while !rest.isEmpty {
      let end = rest.firstIndex(of: 0x0A) ?? rest.endIndex
      let line = rest[rest.startIndex..<end]
      rest = rest[min(end + 1, rest.endIndex)...]
      guard !line.isEmpty else { break }
      // A name may begin with a colon.
      let colon = line.dropFirst().firstIndex(of: UInt8(ascii: ":")) ?? line.endIndex
      let value = line[min(colon + 1, line.endIndex)...].drop { $0 == 0x20 }
      block.append(name: line[line.startIndex..<colon], value: value)
    }
    return (block, rest)
  }
}

private final class AcceptingEnd: HTTP2ConnectionDelegate {
  private let acceptor: GRPCAcceptor
  private let loop: EventLoop

  init(_ acceptor: GRPCAcceptor, _ loop: EventLoop) { (self.acceptor, self.loop) = (acceptor, loop) }

  func connectionNeedsFlush() {}
  func connectionOpened(_ stream: HTTP2Stream) -> (any HTTP2StreamHandler)? {
    acceptor.accept(stream, peer: Peer(address: "fuzz", certificate: nil), loop: loop)
  }
  func connectionReceivedGoAway() {}
  func connectionClosedStream() {}
}

/// Hears a reply and says nothing.
private final class SilentHandler: HTTP2StreamHandler {
  func received(headers: HeaderBlock, endStream: Bool) {}
  func received(data: UnsafeRawBufferPointer) {}
  func receivedEnd(trailers: HeaderBlock?) {}
  func becameWritable() {}
  func closed(errorCode: UInt32) {}
}

/// Answers each call with the same headers, data and trailers.
private struct Answering: StreamAcceptor {
  let headers: HeaderBlock
  let trailers: HeaderBlock
  let data: [UInt8]

  func accept(_ stream: HTTP2Stream, peer: Peer, loop: EventLoop) -> (any HTTP2StreamHandler)? {
    stream.respond(headers)
    stream.write(data)
    stream.finish(trailers: trailers)
    return SilentHandler()
  }
}
