import Core
import Foundation
import Logging
import RPCCore
import RPCInProcess
import Testing

@testable import RPCTransport

/// Seeded damage to what a well-behaved client sent. MAINSTAY_FUZZ_ROUNDS asks for more than the 300 rounds of each run; a
/// failure names its seed.
@Suite("Damaged bytes", .timeLimit(.minutes(30)))
struct FuzzTests {
  private static let rounds = ProcessInfo.processInfo.environment["MAINSTAY_FUZZ_ROUNDS"].flatMap(Int.init) ?? 300

  @Test("Damaged bytes end at most the connection that they came over")
  func damagedClient() async throws {
    let loops = try EventLoopGroup(count: 1)
    defer { loops.stop() }
    let acceptor = GRPCAcceptor(router: Probe(loops: loops).router, logger: Logger(label: "fuzz"))
    let endpoint = InProcessEndpoint(acceptor, loop: loops.first)
    try await withTaskExecutorPreference(loops.first) { @concurrent () async throws in
      let channel = endpoint.channel()
      let recording = try record(acceptor, loops.first)
      for seed in 0..<FuzzTests.rounds {
        try feed(damaged(recording, SeededRandom(UInt64(seed))), acceptor, loops.first, seed: seed)
        // The tasks that were started get their turn, and a call beside them is answered.
        if seed % 20 == 0 {
          let answer = text(try await channel.unary(Probe.echo, framed: framed("\(seed)"), .init()).message)
          #expect(answer == "\(seed)", "after seed \(seed)")
        }
      }
      endpoint.stop()
    }
  }

  @Test("Damaged replies end at most the call or its connection")
  func damagedServer() async throws {
    for seed in 0..<FuzzTests.rounds {
      let random = SeededRandom(UInt64(seed))
      let client = try #require(HTTP2Connection(role: .client))
      let handler = RecordingHandler()
      _ = client.open(HeaderBlock([(":method", "POST"), (":scheme", "https"), (":path", "/a/b")]), handler: handler)
      let reply = try serverBytes()
      _ = damaged(reply, random).withUnsafeBytes { client.receive($0) }
      client.abort("the test's end")
      #expect(handler.closedWith != nil, "seed \(seed)")
    }
  }

  /// What a client sends for one call of each kind.
  private func record(_ acceptor: GRPCAcceptor, _ loop: EventLoop) throws -> [UInt8] {
    let client = try #require(HTTP2Connection(role: .client))
    for method in [Probe.echo, Probe.sum, Probe.fill, Probe.chat, Probe.mirror] {
      let headers = GRPCHeaders.request(
        path: method.path, authority: "fuzz", timeoutNanoseconds: 1_000_000_000, options: .init())
      let stream = try #require(client.open(headers, handler: RecordingHandler()))
      for message in ["3 10", "x"].prefix(method.kind.clientStreams ? 2 : 1) {
        var bytes = framed(message)
        setFramePrefix(&bytes, flag: 0)
        stream.write(bytes)
      }
      stream.finish()
    }
    defer { client.abort("recorded") }
    return try output(of: client)
  }

  /// What a server sends that answers stream 1 with an error.
  private func serverBytes() throws -> [UInt8] {
    let pipe = try #require(HTTP2Pipe())
    let end = AnsweringEnd()
    pipe.server.delegate = end
    let handler = RecordingHandler()
    _ = pipe.client.open(HeaderBlock([(":method", "POST"), (":scheme", "https"), (":path", "/a/b")]), handler: handler)
    let request = try output(of: pipe.client)
    _ = request.withUnsafeBytes { pipe.server.receive($0) }
    defer { pipe.cut("recorded") }
    return try output(of: pipe.server)
  }

  private func output(of connection: HTTP2Connection) throws -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 32_768)
    while true {
      let count = try #require(buffer.withUnsafeMutableBytes { connection.nextOutput($0) })
      if count == 0 { return bytes }
      bytes += buffer[..<count]
    }
  }

  private func feed(_ bytes: [UInt8], _ acceptor: GRPCAcceptor, _ loop: EventLoop, seed: Int) throws {
    let server = try #require(HTTP2Connection(role: .server))
    let end = AnsweringEnd(acceptor, loop)
    server.delegate = end
    let random = SeededRandom(UInt64(seed) &+ 1_000_000)
    var position = 0
    while position < bytes.count {
      let next = min(bytes.count, position + 1 + random.below(2_000))
      guard bytes[position..<next].withUnsafeBytes({ server.receive($0) }) else { break }
      position = next
    }
    var buffer = [UInt8](repeating: 0, count: 32_768)
    while let count = buffer.withUnsafeMutableBytes({ server.nextOutput($0) }), count > 0 {}
    server.abort("the test's end")
    #expect(server.activeStreams == 0, "seed \(seed)")
  }

  /// Some bytes changed, pieces doubled, dropped or filled with noise; the preface mostly kept.
  private func damaged(_ bytes: [UInt8], _ random: SeededRandom) -> [UInt8] {
    var bytes = bytes
    for _ in 0...random.below(6) where bytes.count > 30 {
      let keep = random.below(10) == 0 ? 0 : 24
      let start = keep + random.below(bytes.count - keep)
      let end = min(bytes.count, start + 1 + random.below(40))
      switch random.below(5) {
      case 0: bytes[start] ^= 1 << UInt8(random.below(8))
      case 1: bytes[start] = UInt8(truncatingIfNeeded: random.next())
      case 2: bytes.insert(contentsOf: bytes[start..<end], at: start)
      case 3: bytes.removeSubrange(start..<end)
      default: bytes.replaceSubrange(start..<end, with: random.bytes(random.below(40)))
      }
    }
    return bytes
  }
}

private final class AnsweringEnd: HTTP2ConnectionDelegate {
  private let answer: (HTTP2Stream) -> (any HTTP2StreamHandler)?

  init(_ acceptor: GRPCAcceptor, _ loop: EventLoop) {
    answer = { acceptor.accept($0, peer: Peer(address: "fuzz", certificate: nil), loop: loop) }
  }

  /// Answers each stream with an error, a message and metadata.
  init() {
    answer = { stream in
      var metadata = Metadata()
      metadata.addBinary("x-bin", [1, 2, 3])
      stream.respond(GRPCHeaders.response(metadata))
      stream.write([0, 0, 0, 0, 3, 1, 2, 3])
      stream.finish(trailers: GRPCHeaders.status(.badRequest([FieldViolation("a", "b")]), metadata: metadata))
      return RecordingHandler()
    }
  }

  func connectionNeedsFlush() {}
  func connectionOpened(_ stream: HTTP2Stream) -> (any HTTP2StreamHandler)? { answer(stream) }
  func connectionReceivedGoAway() {}
  func connectionClosedStream() {}
}
