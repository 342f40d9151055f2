import API
import Core
import Glibc
import MainstayTesting
import RPCCore
import RPCTransport
import Synchronization
import Testing

/// What gRPC promises a caller holds through the gateway too.
@Suite("gRPC's contract through the gateway", .timeLimit(.minutes(10)))
struct ForwardedContractTests {
  private static let subscribe = EventServiceMethods.subscribe

  private func options(_ metadata: [(String, String)] = []) -> CallOptions {
    var options = CallOptions(timeout: .seconds(100))
    for (key, value) in [("mainstay-service", "customer")] + metadata { options.metadata.add(key, value) }
    return options
  }

  @Test("The service gets the caller's time less what the gateway has spent")
  func deadline() async throws {
    let clock = LeapingClock()
    let scene = try await GatewayScene(gatewayClock: clock)
    let left = try await scene.call(as: "auditor") { channel in
      // The connections stand first: what they take is no part of what the gateway spends.
      _ = try await EventServiceClient(channel: channel).subscribe(SubscribeRequest(), options: options()).next()
      clock.leap.store(LeapingClock.milliseconds * 1_000_000, ordering: .relaxed)
      let replies = try await EventServiceClient(channel: channel).subscribe(SubscribeRequest(), options: options())
      return try await replies.next()?.events.first?.aggregateVersion ?? 0
    }
    // Unchanged it would be more: what the service's own clock has spent is no part of the leap.
    #expect((1...100_000 - Int64(LeapingClock.milliseconds)).contains(left))
    await scene.stop()
  }

  @Test("A cancelled call is cancelled at the service")
  func cancellation() async throws {
    let scene = try await GatewayScene()
    var notes = scene.notes.makeAsyncIterator()
    let running = try await scene.call(as: "auditor") { channel in
      let call = try await channel.open(ForwardedContractTests.subscribe, options([("x-hang", "")]))
      try await call.send(framed: [0, 0, 0, 0, 0])
      call.finishSending()
      return Held(call)
    }
    #expect(await notes.next() == "started")
    running.call.cancel()
    #expect(await notes.next() == "cancelled")
    await scene.stop()
  }

  @Test("A deadline that passes in the service's hands ends the call at both ends")
  func passedDeadline() async throws {
    let scene = try await GatewayScene()
    var notes = scene.notes.makeAsyncIterator()
    let code = try await scene.call(as: "auditor") { channel -> StatusCode in
      // The connection stands first, so that a slow machine does not spend the call's time on handshakes.
      _ = try await EventServiceClient(channel: channel).subscribe(SubscribeRequest(), options: options()).next()
      var options = options([("x-hang", "")])
      options.deadline = Deadline(after: .seconds(2), clock: SystemClock())
      let call = try await channel.open(ForwardedContractTests.subscribe, options)
      try await call.send(framed: [0, 0, 0, 0, 0])
      call.finishSending()
      do {
        _ = try await call.receive()
        return .ok
      } catch { return RPCError(converting: error).code }
    }
    #expect(code == .deadlineExceeded)
    #expect(await notes.next() == "started")
    #expect(await notes.next() == "cancelled")
    await scene.stop()
  }

  @Test(
    "What is no gRPC call is refused by HTTP status",
    .enabled(if: access("/usr/bin/curl", X_OK) == 0, "curl is not installed"))
  func notGRPC() async throws {
    let scene = try await GatewayScene()
    let path = "mainstay.platform.v1.EventService/Subscribe"
    for (arguments, expected) in [
      ([], "405"), (["--request", "PUT"], "405"), (["--data", "{}"], "415"),
      (["--data", "", "--header", "content-type: application/grpc-webs"], "415"),
      (["--data", "", "--header", "content-type: application/grpc"], "200"),
    ] {
      let result = try await Program.run(
        "/usr/bin/curl",
        ["--silent", "--http2", "--cacert", scene.authority.certificatePath, "--write-out", "%{http_code}"]
          + ["https://localhost:\(scene.gateway.port)/\(path)"] + arguments)
      #expect(result.output == expected, "\(arguments)")
    }
    await scene.stop()
  }

  @Test("Compressed requests pass as they are")
  func compression() async throws {
    let scene = try await GatewayScene()
    let actor = try await scene.call(as: "auditor") { channel in
      var options = options()
      options.compressesRequests = true
      options.acceptsCompressedReplies = true
      var request = SubscribeRequest()
      request.types = [String](repeating: "mainstay.customer.v1.PartyCreated", count: 100)
      let replies = try await EventServiceClient(channel: channel).subscribe(request, options: options)
      return try await replies.next()?.events.first?.actor ?? ""
    }
    #expect(actor == "caller-auditor auditor gateway")
    await scene.stop()
  }
}

/// A call that the test holds while it waits.
private struct Held: @unchecked Sendable {
  let call: ClientCall

  init(_ call: ClientCall) { self.call = call }
}

/// The machine's clock, which leaps ahead each time that it is read once it is told how far.
private final class LeapingClock: Clock {
  static let milliseconds: UInt64 = 500
  /// It leaps so often, or timers of the loop that look at it again and again would spend the call's time.
  static let mostLeaps: UInt64 = 20
  let leap = Atomic<UInt64>(0)
  private let ahead = Atomic<UInt64>(0)

  func now() -> Timestamp { SystemClock().now() }

  func monotonicNanoseconds() -> UInt64 {
    let ahead = ahead.add(leap.load(ordering: .relaxed), ordering: .relaxed).newValue
    return SystemClock().monotonicNanoseconds() + min(ahead, Self.mostLeaps * Self.milliseconds * 1_000_000)
  }
}
