import API
import Foundation
import Logging
import MainstayTesting
import RPCCore
import RPCTransport
import Synchronization
import Testing

/// What `abuse.py` does to a server that is a process of its own, each while another client makes its calls.
@Suite("Abuse: a peer that does harm loses its own connection and nothing else", .serialized, .timeLimit(.minutes(10)))
struct AbuseTests {
  /// Multiplies the abuse; 1 unless a soak run asks for more.
  private static let scale = ProcessInfo.processInfo.environment["MAINSTAY_ABUSE_SCALE"].flatMap { Int($0) } ?? 1
  /// Loses its patience within seconds.
  private static let patience = ["--handshake-seconds", "6", "--header-seconds", "2", "--stall-seconds", "2"]

  @Test(
    "The server ends it and goes on",
    .enabled(if: InteropServer.isBuilt, "mainstay-interop is not built"),
    arguments: [
      "rapid_reset", "malformed_resets", "continuation_flood", "settings_flood", "ping_flood", "priority_flood",
      "empty_data", "zero_window", "unread_socket", "half_message", "slow_header", "huge_header", "header_bomb",
      "garbage",
      "wrong_alpn", "half_open",
    ])
  func abuse(_ name: String) async throws {
    let authority = try TestAuthority()
    try await InteropServer(authority, options: AbuseTests.patience).use { server in
      let other = try OtherCaller(port: server.port, authority)
      defer { other.loops.stop() }
      try await other.makeCalls(100)
      let connection = try await other.connection()
      let before = try #require(server.memory)
      let others = other.goOn()
      let result = try await Python.run(
        script: "Tests/RPC/abuse.py", arguments: [name, "\(server.port)", "\(AbuseTests.scale)"],
        modules: ["hyperframe", "hpack"])
      let during = other.answered.value
      try await other.makeCalls(10)
      others.cancel()
      await others.value
      let outcome = try #require(result, "PyPI hyperframe and hpack are not installed; run make .venv/bin/python")
      #expect(outcome.code == 0, "\(outcome.output)\(outcome.errors)")
      // The other caller was answered all the time, and nobody has touched its connection.
      #expect(during > 100)
      #expect(other.harm == nil)
      #expect(try await other.connection() == connection)
      // A new one is served too.
      let new = try OtherCaller(port: server.port, authority)
      defer { new.loops.stop() }
      try await new.makeCalls(1)
      let growth = try #require(server.memory).peak - before.resident
      let (grown, most) = (growth / 1_048_576, AbuseTests.mostGrowth(name) / 1_048_576)
      print("MAINSTAY_ABUSE \(outcome.output.dropLast()); \(grown) MiB of \(most); \(during - 100) calls of others")
      if !AbuseTests.isSanitized { #expect(grown <= most, "MiB") }
    }
  }

  /// Bytes that a server may grow by under this abuse (docs/limits.md, "What hostile peers may cost").
  private static func mostGrowth(_ name: String) -> Int {
    let (connectionHeld, processHeld, handshake, untouched) = (16_777_216, 536_870_912, 61_440, 4_194_304)
    let holding = ["zero_window", "unread_socket", "half_message"].contains(name) ? scale : 1
    let handshakes = name == "half_open" ? min(1_000 * scale, 4_096) : 1
    return min(holding * connectionHeld, processHeld) + handshakes * handshake + untouched
  }

  /// Sanitizers keep a shadow of all memory.
  private static let isSanitized =
    ["ASAN_OPTIONS", "TSAN_OPTIONS"].contains { ProcessInfo.processInfo.environment[$0] != nil }

  @Test("Each broken rule of HTTP/2 and HPACK is answered with the error that the RFC demands")
  func conformance() async throws {
    let probe = Probe(loops: try EventLoopGroup(count: 1))
    defer { probe.loops.stop() }
    var limits = ConnectionLimits.server
    limits.handshakeTime = .seconds(6)
    limits.headerTime = .seconds(2)
    limits.stallTime = .seconds(2)
    let identities = try TestIdentities()
    let server = try await Server(
      .init(host: "127.0.0.1", port: 0, tls: identities.server(.optional), connectionLimits: limits),
      acceptor: GRPCAcceptor(router: probe.router, logger: Logger(label: "test")), group: probe.loops)
    let result = try await Python.run(
      script: "Tests/RPC/conformance.py", arguments: ["\(server.port)"], modules: ["hyperframe", "hpack"])
    let outcome = try #require(result)
    #expect(outcome.code == 0, "\(outcome.output)\(outcome.errors)")
    await server.shutdown(grace: .zero)
  }
}

/// A client that does no harm: calls one after the other on one connection.
private final class OtherCaller: Sendable {
  let loops: EventLoopGroup
  /// How many of its calls were answered.
  let answered = Atomic(0)
  private let channel: ClientChannel
  private let failure = Mutex<RPCError?>(nil)

  init(port: Int, _ authority: TestAuthority) throws {
    loops = try EventLoopGroup(count: 1)
    let context = try TLSContext(authority.anonymous, role: .client)
    channel = ClientChannel(host: "127.0.0.1", port: port, tls: context, loop: loops.first)
  }

  /// What the first call ended with that was not answered.
  var harm: RPCError? { failure.withLock { $0 } }

  /// So many calls, which must be answered.
  func makeCalls(_ count: Int) async throws {
    try await loops.first.run { for _ in 0..<count { try await self.call() } }
  }

  /// Calls until it is cancelled, or one fails.
  func goOn() -> Task<Void, Never> {
    loops.first.spawn {
      while !Task.isCancelled {
        guard let error = await status({ try await self.call() }) else { continue }
        return self.failure.withLock { if !Task.isCancelled { $0 = error } }
      }
    }
  }

  /// The connection that it has, which keeps its identifier for life.
  func connection() async throws -> Int64 {
    let channel = try #require(try await loops.channelFacts().first)
    return try #require(channel.subchannels.first?.socket).identifier
  }

  private func call() async throws {
    let options = CallOptions(timeout: .seconds(60))
    _ = try await channel.unary(TestingTestServiceMethods.emptyCall, framed: framed([]), options)
    answered.add(1)
  }
}
