import RPCCore
import Testing

@Suite("Metadata", .timeLimit(.minutes(10)))
struct MetadataTests {
  private func mirrored(_ metadata: Metadata, _ wire: Wire) async throws -> (initial: Metadata, trailing: Metadata) {
    try await withBench(wire) { bench async throws in
      let call = try await bench.channel.open(Probe.mirror, CallOptions(metadata: metadata))
      try await call.send(framed: framed(""))
      call.finishSending()
      _ = try await call.receive()
      _ = try await call.receive()
      return (call.initialMetadata, call.trailingMetadata)
    }
  }

  @Test("Text, binary and repeated keys arrive in order, both ways", arguments: Wire.allCases)
  func roundTrip(_ wire: Wire) async throws {
    var metadata = Metadata()
    metadata.add("x-text", "a, b=c ~")
    metadata.addBinary("x-data-bin", [0, 255, 10, 13])
    metadata.add("X-Text", "second")
    metadata.addBinary("x-data-bin", [])
    metadata.addBinary("x-data-bin", Array(0...255))
    metadata.add("x-empty", "")
    let (initial, trailing) = try await mirrored(metadata, wire)
    #expect(initial == metadata)
    #expect(trailing == metadata)
  }

  @Test("What no header can carry is left out and harms nothing", arguments: Wire.allCases)
  func unsendable(_ wire: Wire) async throws {
    var metadata = Metadata()
    for key in [
      "x-line\r\nx-smuggled", "x space", "x-ümlaut", "", ":path", "grpc-status", "te", "content-type",
      "connection", "transfer-encoding", "upgrade", "keep-alive", "proxy-connection", "content-length", "host",
    ] {
      metadata.add(key, "1")
    }
    metadata.add("x-value", "a\r\nx-smuggled: 1")
    metadata.add("x-value", "ü")
    metadata.add("x-padded", " inner space  ")
    metadata.add("x-kept", "yes")
    let (initial, trailing) = try await mirrored(metadata, wire)
    #expect(initial.entries.map { "\($0.key)=\($0.text)" } == ["x-padded=inner space", "x-kept=yes"])
    #expect(trailing == initial)
  }

  @Test("Headers over the limit cost the call and not the connection", arguments: Wire.allCases)
  func tooLarge(_ wire: Wire) async throws {
    try await withBench(wire) { bench async throws in
      for bytes in [20_000, 100_000] {
        var metadata = Metadata()
        metadata.add("x-large", String(repeating: "a", count: bytes))
        let error = await status { _ = try await bench.call(Probe.mirror, "", CallOptions(metadata: metadata)) }
        #expect(error?.code == .resourceExhausted)
        #expect(try await bench.call(Probe.echo, "alive") == "alive")
      }
    }
  }
}
