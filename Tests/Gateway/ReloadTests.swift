import API
import Foundation
import MainstayTesting
import RPCCore
import RPCTransport
import Testing

/// The real programs, under a configuration that changes while they run.
@Suite(.timeLimit(.minutes(10)), .enabled(if: Program.exists("mainstay-gateway") && Program.exists("mainstay-load")))
struct ReloadTests {
  @Test func `Replicas come and go by the configuration, and no call fails for it`() async throws {
    // Nothing is sent again, so a call that is cut would fail.
    let settings = "\nretries: {attempts: 1}\nlog_level: error"
    let site = try await ReplicatedSite(upstreams: { ReplicatedSite.upstreams([$0[0]]) }, settings: settings)
    let load = try site.load("UnaryCall", seconds: 8)
    #expect(try await eventually { try await site.figure("connections", ofReplica: 0) ?? 0 > 0 })
    for _ in 0..<2 {
      try site.configure(ReplicatedSite.upstreams(site.ports) + settings)
      for index in 0...1 {
        #expect(try await eventually { try await site.figure("connections", ofReplica: index) ?? 0 > 0 })
      }
      try site.configure(ReplicatedSite.upstreams([site.ports[1]]) + settings)
      #expect(try await eventually { try await site.figure("connections", ofReplica: 0) == nil })
    }
    try await site.restart(0)
    let result = try await load.result()
    #expect(result.code == 0, "\(result.output) \(result.errors)")
    try await site.stop()
  }

  @Test func `A configuration that is wrong changes nothing, and the log and a figure tell of it`() async throws {
    let site = try await ReplicatedSite()
    let successful = "mainstay_config_last_reload_successful"
    #expect(try await site.figures()[successful] == 1)
    try site.configure("upstreams: {interop: nowhere}")
    #expect(try await eventually { try await site.figures()[successful] == 0 })
    #expect(site.gateway.errors.contains("upstreams.interop: nowhere is not HOST:PORT"))
    #expect(try await site.answer(to: "EmptyCall") == .ok)
    try site.configure(ReplicatedSite.upstreams(site.ports) + "\nshutdown_grace_seconds: 3")
    #expect(try await eventually { try await site.figures()[successful] == 1 })
    #expect(site.gateway.errors.contains("\"settings\":\"shutdown_grace_seconds\""), "\(site.gateway.errors)")
    #expect(try await site.answer(to: "EmptyCall") == .ok)
    try await site.stop()
  }

  @Test func `Routes, upstreams and origins change with the file at SIGHUP; flags count over it as before`()
    async throws
  {
    let site = try await ReplicatedSite(
      upstreams: { "upstreams: {other: \"127.0.0.1:\($0[0])\"}" }, arguments: ["--cors-origins=https://flag.example"])
    #expect(try await site.answer(to: "EmptyCall") == .unimplemented)
    try site.configure(ReplicatedSite.upstreams(site.ports) + "\ncors: {origins: \"https://file.example\"}")
    site.gateway.signal(SIGHUP)
    #expect(try await eventually { try await site.answer(to: "EmptyCall") == .ok })
    #expect(try await site.preflight("https://flag.example") == 204)
    #expect(try await site.preflight("https://file.example") == 403)
    try site.configure("upstreams: {other: \"127.0.0.1:\(site.ports[0])\"}")
    #expect(try await eventually { try await site.answer(to: "EmptyCall") == .unimplemented })
    try await site.stop()
  }

  @Test(arguments: [
    (
      "upstreams: {interop: \"127.0.0.1:1\"}\nroutes: {a.b: {upstream: nobody}}",
      "routes.a.b.upstream: nobody is not among"
    ),
    ("cors: {origins: desk.example}", "cors.origins: desk.example is no origin"),
    ("retries: {attempts: 0}", "retries.attempts: 0 is not a number from 1 to 10"),
    ("upstreams: {interop: \"127.0.0.1\"}", "upstreams.interop: 127.0.0.1 is not HOST:PORT"),
  ])
  func `A check of the configuration finds what a start would`(lines: String, expected: String) async throws {
    let folder = try TemporaryFolder()
    let file = try folder.write(
      "gateway.yaml", "listen: 127.0.0.1:0\ntls: {certificate: a, private_key: b, authority: c}\n" + lines)
    let result = try await Program.run("mainstay-gateway", ["--config", file, "--check-config"])
    #expect(result.code == 2)
    #expect(result.errors.contains(expected), "\(result.errors)")
  }
}

extension ReplicatedSite {
  /// The status of a call through the gateway.
  func answer(to method: String) async throws -> StatusCode {
    let group = try EventLoopGroup(count: 1)
    defer { group.stop() }
    let context = try TLSContext(authority.anonymous, role: .client)
    let descriptor = MethodDescriptor(service: "grpc.testing.TestService", name: method, kind: .unary)
    let port = gatewayPort
    return try await group.first.run {
      let channel = ClientChannel(host: "127.0.0.1", port: port, tls: context, loop: group.first)
      defer { channel.close() }
      do {
        _ = try await channel.unary(descriptor, framed: [0, 0, 0, 0, 0], CallOptions(waitForReady: true))
        return .ok
      } catch { return RPCError(converting: error).code }
    }
  }

  /// The HTTP status that a browser's question gets whether pages of an origin may call.
  func preflight(_ origin: String) async throws -> Int? {
    let result = try await Program.run(
      "/usr/bin/curl",
      [
        "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "--http2", "--cacert",
        folder.file("ca.pem"), "--request", "OPTIONS", "--header", "origin: \(origin)", "--header",
        "access-control-request-method: POST", "https://127.0.0.1:\(gatewayPort)/grpc.testing.TestService/EmptyCall",
      ])
    return Int(result.output)
  }
}
