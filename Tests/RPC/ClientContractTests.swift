import Core
import RPCCore
import RPCInProcess
import Testing

@testable import RPCTransport

/// What gRPC asks of a client, told by a server that says exactly what a test wants.
@Suite("gRPC's contract, a client's side", .timeLimit(.minutes(10)))
struct ClientContractTests {
  /// Makes a unary call that is answered so when its request has ended.
  private func call(
    _ answer: @escaping @Sendable (HTTP2Stream) -> Void
  ) async throws -> (error: RPCError?, reply: [UInt8], trailing: Metadata) {
    let loops = try EventLoopGroup(count: 1)
    defer { loops.stop() }
    let endpoint = InProcessEndpoint(ScriptedAcceptor(answer: answer), loop: loops.first)
    return try await withTaskExecutorPreference(loops.first) { @concurrent () async throws in
      defer { endpoint.stop() }
      var reply: [UInt8] = []
      let call = try await endpoint.channel().open(Probe.echo, .init())
      let error = await status {
        try await call.send(framed: framed("request"))
        call.finishSending()
        while let message = try await call.receive() { reply += message }
      }
      return (error, reply, call.trailingMetadata)
    }
  }

  private static let grpc = [(":status", "200"), ("content-type", "application/grpc")]

  @Test("HTTP statuses without a gRPC status are mapped as gRPC says, with and without a body")
  func httpStatus() async throws {
    let expected: [String: StatusCode] = [
      "400": .internal, "401": .unauthenticated, "403": .permissionDenied, "404": .unimplemented, "429": .unavailable,
      "502": .unavailable, "503": .unavailable, "504": .unavailable, "500": .unknown, "204": .unknown, "302": .unknown,
      "418": .unknown,
    ]
    for (httpStatus, code) in expected {
      for hasBody in [true, false] {
        let error = try await call { stream in
          stream.respond(HeaderBlock([(":status", httpStatus), ("content-type", "text/html")]), endStream: !hasBody)
          if hasBody, httpStatus != "204" { stream.write(Array("<html>no</html>".utf8)) }
          stream.finish()
        }.error
        #expect(error?.code == code, "\(httpStatus)")
      }
    }
  }

  @Test("A gRPC status counts more than the HTTP status beside it")
  func bothStatuses() async throws {
    let error = try await call { stream in
      stream.respond(
        HeaderBlock([(":status", "503"), ("grpc-status", "5"), ("grpc-message", "no such policy")]), endStream: true)
    }.error
    #expect(error?.code == .notFound)
    #expect(error?.message == "no such policy")
  }

  @Test(
    "200 with another content type is UNKNOWN", arguments: ["text/html", "application/grpc-web", "application/grpcx"])
  func contentType(_ type: String) async throws {
    let error = try await call { stream in
      stream.respond(HeaderBlock([(":status", "200"), ("content-type", type)]))
      stream.write([0, 0, 0, 0, 0])
      stream.finish(trailers: HeaderBlock([("grpc-status", "0")]))
    }.error
    #expect(error?.code == .unknown)
  }

  @Test("An end without a status, within a message or with a status that is none is an error")
  func endings() async throws {
    let endings: [(bytes: [UInt8], trailers: [(String, String)]?, code: StatusCode?)] = [
      ([], nil, .internal), ([], [("x-other", "1")], .internal),
      ([0, 0, 0, 0, 9, 1], [("grpc-status", "0")], .internal),
      ([0, 0], [("grpc-status", "0")], .internal), ([1, 0, 0, 0, 1, 1], [("grpc-status", "0")], .internal),
      ([9, 0, 0, 0, 0], [("grpc-status", "0")], .internal),
      ([0, 255, 0, 0, 0], [("grpc-status", "0")], .resourceExhausted),
      ([], [("grpc-status", "abc")], .unknown), ([], [("grpc-status", "99")], .unknown),
      ([], [("grpc-status", "")], .unknown),
      ([0, 0, 0, 0, 1, 65], [("grpc-status", "0")], nil), ([], [("grpc-status", "7")], .permissionDenied),
    ]
    for (bytes, trailers, code) in endings {
      let error = try await call { stream in
        stream.respond(HeaderBlock(ClientContractTests.grpc))
        stream.write(bytes)
        stream.finish(trailers: trailers.map { HeaderBlock($0) })
      }.error
      #expect(error?.code == code, "\(bytes) \(String(describing: trailers))")
    }
  }

  @Test("HTTP/2's errors are mapped as gRPC says; NO_ERROR behind the trailers is none")
  func resets() async throws {
    let expected: [(code: UInt32, status: StatusCode)] = [
      (0, .internal), (1, .internal),
      (2, .internal), (3, .internal),
      (7, .unavailable), (8, .cancelled),
      (11, .resourceExhausted), (12, .permissionDenied),
    ]
    for (code, status) in expected {
      #expect(try await call { $0.reset(code) }.error?.code == status, "\(code)")
    }
    let answered = try await call { stream in
      stream.respond(HeaderBlock(ClientContractTests.grpc + [("grpc-status", "10")]), endStream: true)
    }
    #expect(answered.error?.code == .aborted)
  }

  @Test("Details and binary metadata are read padded, unpadded, joined by commas, and left out if they are no base64")
  func details() async throws {
    let violations = [FieldViolation("party.name", "must be set")]
    let details = try #require(StatusDetails.encode(.badRequest(violations)))
    for padded in [true, false] {
      let encoded = Base64.encode(details, padded: padded)
      let (error, _, trailing) = try await call { stream in
        let status = [("grpc-status", "3"), ("grpc-status-details-bin", encoded)]
        let more = [("x-a-bin", "AQ==,AgI,AwMD"), ("x-a-bin", "BA"), ("x-b-bin", "%%"), ("x-c", "1"), ("x-c", "2")]
        stream.respond(HeaderBlock(ClientContractTests.grpc + status + more), endStream: true)
      }
      #expect(error?.details.map(StatusDetails.violations) == [violations])
      #expect(trailing.values("x-a-bin") == [[1], [2, 2], [3, 3, 3], [4]])
      #expect(trailing.values("x-b-bin").isEmpty)
      #expect(trailing.values("x-c") == [[0x31], [0x32]])
    }
    let broken = try await call { stream in
      let status = [("grpc-status", "3"), ("grpc-message", "%e8%ab%8b %"), ("grpc-status-details-bin", "!")]
      stream.respond(HeaderBlock(ClientContractTests.grpc + status), endStream: true)
    }.error
    #expect(broken?.code == .invalidArgument)
    #expect(broken?.message == "請 %")
    #expect(broken?.details.isEmpty == true)
  }

  @Test("A reply in an encoding that was not asked for is INTERNAL; gzip is read also when it was not")
  func encodings() async throws {
    let message = try #require(Gzip.deflate(framed: framed([UInt8](repeating: 65, count: 1_000))))
    for (encoding, code) in [("snappy", StatusCode.internal), ("identity", .internal), ("gzip", nil)] {
      let (error, reply, _) = try await call { stream in
        stream.respond(HeaderBlock(ClientContractTests.grpc + [("grpc-encoding", encoding)]))
        stream.write(message)
        stream.finish(trailers: HeaderBlock([("grpc-status", "0")]))
      }
      #expect(error?.code == code, "\(encoding)")
      #expect(reply.count == (code == nil ? 1_000 : 0))
    }
  }
}

/// Answers each stream, when its request has ended, by a closure.
private struct ScriptedAcceptor: StreamAcceptor {
  let answer: @Sendable (HTTP2Stream) -> Void

  func accept(_ stream: HTTP2Stream, peer: Peer, loop: EventLoop) -> (any HTTP2StreamHandler)? {
    Handler(stream, answer)
  }

  private final class Handler: HTTP2StreamHandler {
    private let stream: HTTP2Stream
    private let answer: (HTTP2Stream) -> Void

    init(_ stream: HTTP2Stream, _ answer: @escaping (HTTP2Stream) -> Void) {
      self.stream = stream
      self.answer = answer
    }

    func received(headers: HeaderBlock, endStream: Bool) {}
    func received(data: UnsafeRawBufferPointer) { stream.consume(data.count) }
    func receivedEnd(trailers: HeaderBlock?) { answer(stream) }
    func becameWritable() {}
    func closed(errorCode: UInt32) {}
  }
}
