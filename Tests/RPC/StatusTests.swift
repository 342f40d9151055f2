import RPCCore
import Testing

@Suite("Status, details and sizes", .timeLimit(.minutes(10)))
struct StatusTests {
  @Test("Violations arrive as details", arguments: Wire.allCases)
  func violations(_ wire: Wire) async throws {
    try await withBench(wire) { bench async throws in
      let error = await status { _ = try await bench.call(Probe.fail, "violations") }
      #expect(error?.code == .invalidArgument)
      #expect(error?.details.map(\.typeName) == ["google.rpc.BadRequest"])
      #expect(
        error?.details.first.map(StatusDetails.violations) == [
          FieldViolation("party.person.birth_date", "must be a day that exists"), FieldViolation("", "empty 請求"),
        ])
    }
  }

  @Test("A message of any characters arrives as it was", arguments: Wire.allCases)
  func message(_ wire: Wire) async throws {
    try await withBench(wire) { bench async throws in
      let error = await status { _ = try await bench.call(Probe.fail, "unicode") }
      #expect(error?.code == .notFound)
      #expect(error?.message == "100% \t weg: ☺ 😈\n%41")
    }
  }

  @Test("A very long message is cut short and does not cost the status", arguments: Wire.allCases)
  func longMessage(_ wire: Wire) async throws {
    try await withBench(wire) { bench async throws in
      let error = await status { _ = try await bench.call(Probe.fail, "long") }
      #expect(error?.code == .aborted)
      #expect(error?.message.hasPrefix("😈😈😈") == true)
      #expect(error?.message.contains("\u{FFFD}") == false)
    }
  }

  @Test("An error's own metadata arrives with it", arguments: Wire.allCases)
  func metadata(_ wire: Wire) async throws {
    try await withBench(wire) { bench async throws in
      let error = await status { _ = try await bench.call(Probe.fail, "metadata") }
      #expect(error?.code == .aborted)
      #expect(error?.metadata.first("x-reason") == "because")
    }
  }

  @Test("An unforeseen error tells the client nothing of its cause", arguments: Wire.allCases)
  func unforeseen(_ wire: Wire) async throws {
    try await withBench(wire) { bench async throws in
      let error = await status { _ = try await bench.call(Probe.fail, "unforeseen") }
      #expect(error?.code == .internal)
      #expect(error?.message.contains("Unforeseen") == false)
    }
  }

  @Test("An unknown service and an unknown method are told apart", arguments: Wire.allCases)
  func unimplemented(_ wire: Wire) async throws {
    try await withBench(wire) { bench async throws in
      let method = await status { _ = try await bench.call(Probe.method("Nothing", .unary), "") }
      #expect(method?.code == .unimplemented)
      #expect(method?.message == "test.Probe has no method Nothing")
      let service = await status {
        _ = try await bench.call(MethodDescriptor(service: "test.Nobody", name: "Echo", kind: .unary), "")
      }
      #expect(service?.code == .unimplemented)
      #expect(service?.message == "no service test.Nobody here")
    }
  }

  @Test("A request over 4 MiB is refused, and the connection lives on", arguments: Wire.allCases)
  func largeRequest(_ wire: Wire) async throws {
    try await withBench(wire) { bench async throws in
      let error = await status {
        _ = try await bench.channel.unary(Probe.echo, framed: [UInt8](repeating: 0, count: 4_194_310), .init())
      }
      #expect(error?.code == .resourceExhausted)
      #expect(try await bench.call(Probe.echo, "alive") == "alive")
    }
  }

  @Test("A reply over 4 MiB is refused by the client, and the connection lives on", arguments: Wire.allCases)
  func largeReply(_ wire: Wire) async throws {
    try await withBench(wire) { bench async throws in
      let call = try await bench.channel.open(Probe.fill, .init())
      try await call.send(framed: framed("1 4194305"))
      call.finishSending()
      let error = await status { _ = try await call.receive() }
      #expect(error?.code == .resourceExhausted)
      #expect(try await bench.call(Probe.echo, "alive") == "alive")
    }
  }

  @Test("A unary call with two requests, or with none, is an error of the client", arguments: Wire.allCases)
  func cardinality(_ wire: Wire) async throws {
    try await withBench(wire) { bench async throws in
      let two = try await bench.channel.open(Probe.echo, .init())
      try await two.send(framed: framed("1"))
      try await two.send(framed: framed("2"))
      #expect(await status { _ = try await two.receive() }?.code == .internal)
      let none = try await bench.channel.open(Probe.echo, .init())
      none.finishSending()
      #expect(await status { _ = try await none.receive() }?.code == .internal)
    }
  }
}
