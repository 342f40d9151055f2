import API
import RPCCore
import Testing

@Suite("Calls of all four kinds, in process and over TLS", .timeLimit(.minutes(10)))
struct CallKindTests {
  @Test("One request, one reply", arguments: Wire.allCases)
  func unary(_ wire: Wire) async throws {
    try await withBench(wire) { bench async throws in
      #expect(try await bench.call(Probe.echo, "hello") == "hello")
      #expect(try await bench.call(Probe.echo, "") == "")
      let large = [UInt8](repeating: 3, count: 4_194_304)
      #expect(try await bench.channel.unary(Probe.echo, framed: framed(large), .init()).message == large)
    }
  }

  @Test("Many requests, one reply", arguments: Wire.allCases)
  func clientStreaming(_ wire: Wire) async throws {
    try await withBench(wire) { bench async throws in
      for sizes in [[], [0], [1, 2, 3], [100_000, 0, 300_000]] {
        let call = try await bench.channel.open(Probe.sum, .init())
        for size in sizes { try await call.send(framed: framed([UInt8](repeating: 1, count: size))) }
        call.finishSending()
        #expect(text(try await call.receive()) == "\(sizes.count) \(sizes.reduce(0, +))")
        #expect(try await call.receive() == nil)
      }
    }
  }

  @Test("One request, many replies", arguments: Wire.allCases)
  func serverStreaming(_ wire: Wire) async throws {
    try await withBench(wire) { bench async throws in
      for (count, size) in [(0, 0), (1, 5), (200, 0), (50, 70_000)] {
        let call = try await bench.channel.open(Probe.fill, .init())
        try await call.send(framed: framed("\(count) \(size)"))
        call.finishSending()
        var sizes: [Int] = []
        while let message = try await call.receive() { sizes.append(message.count) }
        #expect(sizes == [Int](repeating: size, count: count))
      }
    }
  }

  @Test("Many of both, each answered before the next is sent", arguments: Wire.allCases)
  func bidirectional(_ wire: Wire) async throws {
    try await withBench(wire) { bench async throws in
      let call = try await bench.channel.open(Probe.chat, .init())
      for number in 0..<100 {
        try await call.send(framed: framed("message \(number)"))
        #expect(text(try await call.receive()) == "message \(number)")
      }
      call.finishSending()
      #expect(try await call.receive() == nil)
    }
  }

  @Test("The peer's certificate reaches the handler", arguments: Wire.allCases)
  func peer(_ wire: Wire) async throws {
    try await withBench(wire) { bench async throws in
      #expect(try await bench.call(Probe.mirror, "") == "ours-client")
    }
  }

  @Test("10,000 calls at once on one connection are all answered", arguments: Wire.allCases)
  func many(_ wire: Wire) async throws {
    try await withBench(wire) { bench async throws in
      // Connects first: under a sanitizer the calls are begun for longer than a handshake may take.
      _ = try await bench.call(Probe.echo, "first")
      let answers = try await withThrowingTaskGroup(of: String.self) { group in
        for number in 0..<10_000 { group.addTask { try await bench.call(Probe.echo, "\(number)") } }
        return try await group.reduce(into: Set<String>()) { $0.insert($1) }
      }
      #expect(answers == Set((0..<10_000).map(String.init)))
    }
  }
}
