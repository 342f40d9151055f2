import Glibc
import Logging
import MainstayTesting
import RPCCore
import RPCTransport
import Testing

/// What `abuse.py` does to a server, each while another client makes its calls.
@Suite("Abuse: a peer that does harm loses its own connection and nothing else", .serialized, .timeLimit(.minutes(10)))
struct AbuseTests {
  /// Multiplies the abuse; 1 unless a soak run asks for more.
  private static let scale = getenv("MAINSTAY_ABUSE_SCALE").flatMap { Int(String(cString: $0)) } ?? 1
  /// What the process may grow by while it is abused; what is held for peers is limited far below. In a soak run these tests are
  /// alone in it, else all the other suites run there as well.
  private static let growthBytes = scale > 1 ? 400_000_000 : 1_000_000_000

  @Test(
    "The server ends it and goes on",
    arguments: [
      "rapid_reset", "malformed_resets", "continuation_flood", "settings_flood", "ping_flood", "priority_flood",
      "empty_data", "zero_window", "unread_socket", "half_message", "slow_header", "huge_header", "header_bomb",
      "garbage",
      "wrong_alpn", "half_open",
    ])
  func abuse(_ name: String) async throws {
    let probe = Probe(loops: try EventLoopGroup(count: 1))
    defer { probe.loops.stop() }
    let loop = try EventLoop()
    defer { loop.stop() }
    let identities = try TestIdentities()
    let server = try await start(probe, identities)
    let context = try TLSContext(identities.client(), role: .client)
    let port = server.port
    let before = residentBytes()
    let others = loop.spawn {
      let channel = ClientChannel(host: "127.0.0.1", port: port, tls: context, loop: loop)
      while !Task.isCancelled {
        let error = await status { _ = try await channel.unary(Probe.echo, framed: framed("other"), .init()) }
        if !Task.isCancelled { #expect(error == nil) }
        probe.executions.add("other")
      }
    }
    let result = try await Python.run(
      script: "Tests/RPC/abuse.py", arguments: [name, "\(port)", "\(AbuseTests.scale)"],
      modules: ["hyperframe", "hpack"])
    let done = probe.executions.total
    while probe.executions.total <= done + 10 { await Task.yield() }
    others.cancel()
    await others.value
    let outcome = try #require(result)
    #expect(outcome.code == 0, "\(outcome.output)\(outcome.errors)")
    #expect(residentBytes() - before < AbuseTests.growthBytes)
    // A new client is served too.
    try await loop.run {
      let channel = ClientChannel(host: "127.0.0.1", port: port, tls: context, loop: loop)
      _ = try await channel.unary(Probe.echo, framed: framed("new"), .init())
      channel.close()
    }
    await server.shutdown(grace: .zero)
  }

  @Test("Each broken rule of HTTP/2 and HPACK is answered with the error that the RFC demands")
  func conformance() async throws {
    let probe = Probe(loops: try EventLoopGroup(count: 1))
    defer { probe.loops.stop() }
    let server = try await start(probe, try TestIdentities())
    let result = try await Python.run(
      script: "Tests/RPC/conformance.py", arguments: ["\(server.port)"], modules: ["hyperframe", "hpack"])
    let outcome = try #require(result)
    #expect(outcome.code == 0, "\(outcome.output)\(outcome.errors)")
    await server.shutdown(grace: .zero)
  }

  /// A server that loses its patience within seconds.
  private func start(_ probe: Probe, _ identities: TestIdentities) async throws -> Server {
    var limits = ConnectionLimits.server
    limits.handshakeTime = .seconds(6)
    limits.headerTime = .seconds(2)
    limits.stallTime = .seconds(2)
    return try await Server(
      .init(host: "127.0.0.1", port: 0, tls: identities.server(.optional), connectionLimits: limits),
      acceptor: GRPCAcceptor(router: probe.router, logger: Logger(label: "test")), group: probe.loops)
  }
}

/// Memory of this process that is in use (proc(5), statm).
private func residentBytes() -> Int {
  guard let file = fopen("/proc/self/statm", "r") else { return 0 }
  defer { fclose(file) }
  var line = [CChar](repeating: 0, count: 128)
  guard fgets(&line, 128, file) != nil else { return 0 }
  let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  let numbers = text.split(separator: " ").compactMap { Int($0) }
  return numbers.count > 1 ? numbers[1] * 4_096 : 0
}
