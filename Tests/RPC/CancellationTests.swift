import Core
import RPCCore
import RPCTransport
import Testing

@Suite("Deadlines and cancellation", .timeLimit(.minutes(10)))
struct CancellationTests {
  @Test("The server sees what is left of the time", arguments: Wire.allCases)
  func remaining(_ wire: Wire) async throws {
    try await withBench(wire) { bench async throws in
      #expect(try await bench.call(Probe.remaining, "") == "none")
      let left = Int(try await bench.call(Probe.remaining, "", CallOptions(timeout: .seconds(100))))
      #expect((50_000...100_000).contains(left ?? 0))
    }
  }

  @Test("At the deadline the caller gets DEADLINE_EXCEEDED and the handler is cancelled", arguments: Wire.allCases)
  func deadline(_ wire: Wire) async throws {
    try await withBench(wire) { bench async throws in
      // The connection stands first, so that a slow machine does not spend the call's time on the handshake.
      #expect(try await bench.call(Probe.echo, "ready") == "ready")
      let call = try await bench.channel.open(Probe.hang, CallOptions(timeout: .seconds(1)))
      #expect(await status { _ = try await call.receive() }?.code == .deadlineExceeded)
      #expect(await bench.probe.notes.next() == "started")
      #expect(await bench.probe.notes.next() == "cancelled")
    }
  }

  @Test("A deadline that has passed is no call", arguments: Wire.allCases)
  func passed(_ wire: Wire) async throws {
    try await withBench(wire) { bench async throws in
      let error = await status { _ = try await bench.call(Probe.echo, "", CallOptions(timeout: .zero)) }
      #expect(error?.code == .deadlineExceeded)
    }
  }

  @Test("Cancelling a call cancels its handler", arguments: Wire.allCases)
  func cancel(_ wire: Wire) async throws {
    try await withBench(wire) { bench async throws in
      let call = try await bench.channel.open(Probe.hang, .init())
      #expect(await bench.probe.notes.next() == "started")
      call.cancel()
      #expect(await status { _ = try await call.receive() }?.code == .cancelled)
      #expect(await bench.probe.notes.next() == "cancelled")
      #expect(try await bench.call(Probe.echo, "alive") == "alive")
    }
  }

  @Test("A handler that waits for a request learns that its call has ended, and why", arguments: Wire.allCases)
  func waitingReader(_ wire: Wire) async throws {
    try await withBench(wire) { bench async throws in
      #expect(try await bench.call(Probe.echo, "ready") == "ready")
      let cancelled = try await bench.channel.open(Probe.reader, .init())
      #expect(await bench.probe.notes.next() == "started")
      cancelled.cancel()
      #expect(await bench.probe.notes.next() == "read: CANCELLED")
      let late = try await bench.channel.open(Probe.reader, CallOptions(timeout: .seconds(1)))
      #expect(await status { _ = try await late.receive() }?.code == .deadlineExceeded)
      #expect(await bench.probe.notes.next() == "started")
      // Whoever sees the deadline first ends the call: the server by its own timer, or the client's reset.
      #expect(["read: DEADLINE_EXCEEDED", "read: CANCELLED"].contains(await bench.probe.notes.next()))
    }
  }

  @Test("Dropping a call cancels its handler", arguments: Wire.allCases)
  func drop(_ wire: Wire) async throws {
    try await withBench(wire) { bench async throws in
      do {
        let call = try await bench.channel.open(Probe.hang, .init())
        #expect(await bench.probe.notes.next() == "started")
        _ = consume call
      }
      #expect(await bench.probe.notes.next() == "cancelled")
    }
  }

  @Test("Cancelling the caller's task cancels the handler", arguments: Wire.allCases)
  func cancelTask(_ wire: Wire) async throws {
    try await withBench(wire) { bench async throws in
      let task = bench.clientLoop.spawn {
        let error = await status {
          let call = try await bench.channel.open(Probe.hang, .init())
          _ = try await call.receive()
        }
        bench.probe.notes.note("caller: \(error?.code ?? .ok)")
      }
      #expect(await bench.probe.notes.next() == "started")
      task.cancel()
      let notes = [await bench.probe.notes.next(), await bench.probe.notes.next()]
      #expect(Set(notes) == ["cancelled", "caller: CANCELLED"])
    }
  }

  @Test("A writer that waits for its reader can be cancelled, before it waits or meanwhile", arguments: Wire.allCases)
  func cancelWriter(_ wire: Wire) async throws {
    try await withBench(wire) { bench async throws in
      for cancelsFirst in [true, false] {
        let call = try await bench.channel.open(Probe.slowSum, .init())
        let writer = OnLoop(call)
        #expect(await bench.probe.notes.next() == "started")
        let task = bench.clientLoop.spawn {
          if cancelsFirst { withUnsafeCurrentTask { $0?.cancel() } }
          bench.probe.notes.note("writing")
          try? await writer.value.send(framed: framed([UInt8](repeating: 1, count: 3_000_000)))
          bench.probe.notes.note("written")
        }
        #expect(await bench.probe.notes.next() == "writing")
        task.cancel()
        #expect(await bench.probe.notes.next() == "written")
        #expect(await status { _ = try await writer.value.receive() }?.code == .cancelled)
        bench.probe.release.note("")
      }
    }
  }

  @Test("A server's writer learns that its client has gone", arguments: Wire.allCases)
  func serverWriter(_ wire: Wire) async throws {
    try await withBench(wire) { bench async throws in
      let call = try await bench.channel.open(Probe.fill, .init())
      try await call.send(framed: framed("100000 50000"))
      call.finishSending()
      #expect(try await call.receive()?.count == 50_000)
      call.cancel()
      #expect(await bench.probe.notes.next() == "cancelled")
    }
  }

  @Test("When the connection breaks, calls fail with UNAVAILABLE and handlers are cancelled", arguments: Wire.allCases)
  func connectionLoss(_ wire: Wire) async throws {
    try await withBench(wire) { bench async throws in
      let call = try await bench.channel.open(Probe.hang, .init())
      #expect(await bench.probe.notes.next() == "started")
      await bench.cut()
      let error = await status { _ = try await call.receive() }
      #expect(error?.code == .unavailable)
      #expect(error?.message.contains("connection") == true)
      #expect(await bench.probe.notes.next() == "cancelled")
    }
  }

  @Test("A handler that answers before the client has finished ends the call for both", arguments: Wire.allCases)
  func earlyAnswer(_ wire: Wire) async throws {
    try await withBench(wire) { bench async throws in
      for _ in 0..<3 {
        let call = try await bench.channel.open(Probe.method("Nothing", .bidirectional), .init())
        #expect(await status { _ = try await call.receive() }?.code == .unimplemented)
      }
      await bench.shutdown()
    }
  }
}
