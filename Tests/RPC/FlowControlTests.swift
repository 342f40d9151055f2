import Core
import RPCCore
import Testing

@testable import RPCTransport

@Suite("Flow control", .timeLimit(.minutes(10)))
struct FlowControlTests {
  @Test("A reader that does not read stops the writer, and the rest follows when it does", arguments: Wire.allCases)
  func slowReader(_ wire: Wire) async throws {
    try await withBench(wire) { bench async throws in
      let call = try await bench.channel.open(Probe.slowSum, .init())
      let writer = OnLoop(call)
      let sent = Atomic(0)
      async let written: Void = {
        for _ in 0..<100 {
          try await writer.value.send(framed: framed([UInt8](repeating: 1, count: 50_000)))
          sent.add(1)
        }
        writer.value.finishSending()
      }()
      #expect(await bench.probe.notes.next() == "started")
      // Many other calls go to and fro meanwhile, so that the writer had its chance.
      for _ in 0..<200 { _ = try await bench.call(Probe.echo, "meanwhile") }
      let limits = HTTP2Limits()
      let most = Int(limits.streamWindowBytes) + HTTP2Stream.highWaterBytes + CallLimits().unreadBytes
      #expect(sent.value <= most / 50_000 + 2)
      bench.probe.release.note("")
      try await written
      #expect(text(try await call.receive()) == "100 5000000")
    }
  }

  @Test("A client that does not read stops the server's writer", arguments: Wire.allCases)
  func slowClient(_ wire: Wire) async throws {
    try await withBench(wire) { bench async throws in
      let call = try await bench.channel.open(Probe.fill, .init())
      try await call.send(framed: framed("1000 50000"))
      call.finishSending()
      for _ in 0..<200 { _ = try await bench.call(Probe.echo, "meanwhile") }
      let limits = HTTP2Limits()
      #expect(call.unreadBytes <= Int(limits.streamWindowBytes) + CallLimits().unreadBytes + 50_000)
      var count = 0
      while try await call.receive() != nil { count += 1 }
      #expect(count == 1_000)
    }
  }

  @Test("100 MB go both ways in one call", arguments: Wire.allCases)
  func volume(_ wire: Wire) async throws {
    try await withBench(wire) { bench async throws in
      let call = try await bench.channel.open(Probe.chat, .init())
      let writer = OnLoop(call)
      let message = framed([UInt8](repeating: 9, count: 1_000_000))
      async let written: Void = {
        for _ in 0..<100 { try await writer.value.send(framed: message) }
        writer.value.finishSending()
      }()
      var bytes = 0
      while let reply = try await call.receive() { bytes += reply.count }
      try await written
      #expect(bytes == 100_000_000)
    }
  }

  @Test("Calls that are dropped with data unread give their credit back to the connection", arguments: Wire.allCases)
  func droppedCredit(_ wire: Wire) async throws {
    try await withBench(wire) { bench async throws in
      // Together they hold more than the connection's window.
      let rounds = Int(HTTP2Limits().connectionWindowBytes / HTTP2Limits().streamWindowBytes) * 3
      for _ in 0..<rounds {
        let call = try await bench.channel.open(Probe.fill, .init())
        try await call.send(framed: framed("1000 50000"))
        call.finishSending()
        while call.unreadBytes < 200_000 { _ = try await bench.call(Probe.echo, "meanwhile") }
        call.cancel()
      }
      let call = try await bench.channel.open(Probe.fill, .init())
      try await call.send(framed: framed("10 100000"))
      call.finishSending()
      for _ in 0..<10 { #expect(try await call.receive()?.count == 100_000) }
    }
  }

  @Test("Streams that nobody reads do not stop the others of their connection", arguments: Wire.allCases)
  func unreadStreams(_ wire: Wire) async throws {
    try await withBench(wire) { bench async throws in
      // Together they send more than the connection's window.
      let calls = Int(HTTP2Limits().connectionWindowBytes / HTTP2Limits().streamWindowBytes) * 2
      let unread = framed([UInt8](repeating: 1, count: Int(HTTP2Limits().streamWindowBytes)))
      var open: [ClientCall] = []
      for _ in 0..<calls {
        let call = try await bench.channel.open(Probe.slowSum, .init())
        try await call.send(framed: unread)
        open.append(call)
        #expect(await bench.probe.notes.next() == "started")
      }
      for _ in 0..<100 { _ = try await bench.call(Probe.echo, "meanwhile") }
      for call in open { call.cancel() }
      for _ in open { bench.probe.release.note("") }
    }
  }

  @Test("A flood of empty messages is held back like any other")
  func emptyMessages() {
    let inbox = ServerCall(
      method: Probe.sum,
      context: .init(method: Probe.sum, metadata: .init(), deadline: nil, peer: .init(address: "", certificate: nil)),
      transport: NowhereTransport())
    for _ in 0..<10_000 { inbox.deliver([]) }
    #expect(inbox.unreadBytes > CallLimits().unreadBytes)
  }
}

final class NowhereTransport: ServerCallTransport {
  func send(framed: [UInt8], compressed: Bool) {}
  func decompress(_ message: [UInt8]) throws(RPCError) -> [UInt8] { message }
  func sendHeaders() {}
  let isCongested = false
  func messagesConsumed() {}
}
