import API
import Foundation
import MainstayTesting
import RPCCore
import RPCTransport
import Testing

@testable import ServiceRuntime

@Suite("Limits of connections as settings", .timeLimit(.minutes(10)))
struct ServiceLimitsTests {
  private func limits(_ flags: [String: String]) throws -> ServiceLimits {
    let required = ["--listen", "--tls-certificate", "--tls-private-key", "--tls-authority"].flatMap { [$0, "x"] }
    let arguments = required + flags.flatMap { ["--\($0.key)", $0.value] }
    return try ServiceLimits(Configuration(arguments: arguments, environment: [:], keys: ConfigurationKey.common))
  }

  @Test("Without settings the defaults of the RPC stack hold")
  func defaults() throws {
    let limits = try limits([:])
    #expect(limits.http2 == HTTP2Limits())
    #expect(limits.server == .server)
    #expect(limits.upstream == .client)
    #expect(limits.calls == CallLimits())
    #expect(limits.maximumConnections == 20_000)
    #expect(limits.addresses.openConnections == 15_000 && limits.addresses.connectionsPerSecond == 1_000)
    #expect(limits.callsPerSecond == 0)
    #expect(limits.budget.limitBytes == 536_870_912)
  }

  @Test("Each setting changes what it is called after")
  func settings() throws {
    let limits = try limits([
      "connections-maximum": "7", "connections-per-address": "15", "connections-new-per-address-second": "16",
      "connections-calls-per-second": "17", "connections-held-bytes": "70000", "connections-most-held-bytes": "9000000",
      "connections-handshake-seconds": "1", "connections-header-seconds": "2", "connections-stall-seconds": "3",
      "connections-keepalive-seconds": "4", "connections-keepalive-timeout-seconds": "5",
      "connections-minimum-ping-seconds": "6", "connections-minimum-ping-seconds-without-calls": "7",
      "connections-ping-strikes": "8", "connections-idle-seconds": "9", "connections-age-seconds": "10",
      "connections-age-grace-seconds": "11", "process-held-bytes": "10000000", "process-inflated-bytes": "11000000",
      "upstream-connections-keepalive-seconds": "12", "upstream-connections-keepalive-timeout-seconds": "13",
      "upstream-connections-idle-seconds": "0", "upstream-connections-stall-seconds": "14",
    ])
    var server = ConnectionLimits.server
    server.handshakeTime = .seconds(1)
    server.headerTime = .seconds(2)
    server.stallTime = .seconds(3)
    server.keepaliveTime = .seconds(4)
    server.keepaliveTimeout = .seconds(5)
    server.minimumPingInterval = .seconds(6)
    server.minimumPingIntervalWithoutCalls = .seconds(7)
    server.pingStrikes = 8
    server.idleTime = .seconds(9)
    server.maximumAge = .seconds(10)
    server.ageGrace = .seconds(11)
    #expect(limits.server == server)
    var upstream = ConnectionLimits.client
    upstream.keepaliveTime = .seconds(12)
    upstream.keepaliveTimeout = .seconds(13)
    upstream.idleTime = nil
    upstream.stallTime = .seconds(14)
    #expect(limits.upstream == upstream)
    #expect(limits.maximumConnections == 7)
    #expect(limits.addresses.openConnections == 15 && limits.addresses.connectionsPerSecond == 16)
    #expect(limits.callsPerSecond == 17)
    #expect((limits.http2.heldBytes, limits.http2.mostHeldBytes) == (70_000, 9_000_000))
    #expect((limits.budget.limitBytes, limits.calls.inflatedBytes) == (10_000_000, 11_000_000))
  }

  @Test(
    "A value that cannot be is refused with the setting and what it may be",
    arguments: [
      (["connections-stall-seconds": "0"], "connections.stall_seconds: 0 is not a number from 1 to 31536000"),
      (["connections-idle-seconds": "-1"], "connections.idle_seconds: -1 is not a number from 0 to 31536000"),
      (["connections-held-bytes": "16 MiB"], "connections.held_bytes: 16 MiB is not a number from 65536 to"),
      (
        ["connections-held-bytes": "9000000", "connections-most-held-bytes": "8388608"],
        "connections.held_bytes: 9000000 is more than connections.most_held_bytes, which is 8388608; it must not be"
      ),
      (
        ["process-held-bytes": "100000000"],
        "connections.most_held_bytes: 134217728 is more than process.held_bytes, which is 100000000; it must not be"
      ),
    ])
  func refused(flags: [String: String], expected: String) throws {
    let error = #expect(throws: ConfigurationError.self) { try limits(flags) }
    #expect(error?.description.hasPrefix(expected) == true, "\(error as Any)")
  }

  @Test("docs/limits.md names each setting with its default")
  func page() throws {
    let page = try String(contentsOfFile: "\(Python.repository)/docs/limits.md", encoding: .utf8)
    for key in ServiceLimits.keys {
      #expect(page.contains("| `\(key.name)` | \(key.defaultValue ?? "") | \(key.summary) |"), "\(key.name)")
    }
  }

  @Test(
    "A service and the gateway list the settings, refuse wrong ones, and keep to them",
    .enabled(if: Program.exists("mainstay-partner"), "the programs are not built: make release"),
    arguments: ["mainstay-partner", "mainstay-gateway"])
  func program(name: String) async throws {
    let authority = try TestAuthority()
    let port = try freePort()
    _ = try authority.issue("own", role: "service")
    let own = name == "mainstay-gateway" ? "upstreams: {customer: \"127.0.0.1:1\"}" : "database: sqlite:partner.db"
    let file = try authority.folder.write(
      "service.yaml",
      """
      listen: 127.0.0.1:\(port)
      tls: {certificate: own.pem, private_key: own-key.pem, authority: ca.pem}
      connections: {maximum: 1, stall_seconds: 17}
      \(own)
      """)
    let help = try await Program.run(name, ["--help"])
    #expect(ServiceLimits.keys.allSatisfy { help.output.contains("\n  \($0.flag) ") })
    let check = try await Program.run(
      name, ["--config", file, "--check-config"], environment: ["MAINSTAY_CONNECTIONS_AGE_SECONDS": "18"])
    #expect(check.code == 0, "\(check.errors)")
    #expect(check.output.contains("\n  connections.stall_seconds: 17\n  connections.keepalive_seconds: 7200\n"))
    #expect(check.output.contains("\n  connections.age_seconds: 18\n"))
    let wrong = try await Program.run(name, ["--config", file, "--check-config", "--connections-ping-strikes", "many"])
    #expect(wrong.code == 2 && wrong.errors.contains("connections.ping_strikes: many is not a number from 0 to 1000"))

    let service = try Program.Running(name, ["--config", file])
    defer { service.signal(SIGKILL) }
    let context = try TLSContext(try authority.issue("caller", role: "service", hosts: []), role: .client)
    let loop = try EventLoop()
    defer { loop.stop() }
    try await loop.run {
      let first = ClientChannel(host: "127.0.0.1", port: port, tls: context, loop: loop)
      _ = try await HealthClient(channel: first).check(HealthCheckRequest(), options: CallOptions(waitForReady: true))
      let second = ClientChannel(host: "127.0.0.1", port: port, tls: context, loop: loop)
      let error = await #expect(throws: RPCError.self) {
        try await HealthClient(channel: second).check(HealthCheckRequest(), options: .init())
      }
      #expect(error?.code == .unavailable)
      first.close()
      second.close()
    }
  }
}
