import API
import Logging
import MainstayTesting
import RPCCore
import RPCTransport
import Testing

@testable import ServiceRuntime

@Suite("Health and reflection", .timeLimit(.minutes(10)))
struct HealthTests {
  static let modules = ["grpc", "grpc_health", "grpc_reflection"]
  private static let name = "grpc.testing.TestService"

  /// A server with health and reflection alone, and a channel to it.
  private func withServer<Value: Sendable>(
    _ body: @escaping @Sendable (HealthRegistry, ClientChannel, Server, TLSConfiguration) async throws -> Value
  ) async throws -> Value {
    let authority = try TestAuthority()
    let group = try EventLoopGroup(count: 1)
    let health = HealthRegistry(services: [Self.name])
    let router = try InfrastructureServices.router([], listed: [Self.name], health: health, access: .checked)
    let server = try await Server(
      .init(host: "127.0.0.1", port: 0, tls: authority.issue("test", role: "service")),
      acceptor: GRPCAcceptor(router: router, logger: Logger(label: "test")), group: group)
    let tls = try authority.issue("client", role: "tester", hosts: [])
    let context = try TLSContext(tls, role: .client)
    let value = try await group.first.run {
      let channel = ClientChannel(host: "127.0.0.1", port: server.port, tls: context, loop: group.first)
      return try await body(health, channel, server, tls)
    }
    await server.shutdown(grace: .zero)
    group.stop()
    return value
  }

  @Test("A watcher is told the state at once, then each change, and the stop as the last")
  func watch() async throws {
    try await withServer { health, channel, _, _ in
      let client = HealthClient(channel: channel)
      let replies = try await client.watch(HealthCheckRequest(service: Self.name), options: .init())
      #expect(try await replies.next()?.status == .notServing)
      health.isServing = true
      #expect(try await replies.next()?.status == .serving)
      // What does not change is not told again.
      health.isServing = true
      health.isServing = false
      #expect(try await replies.next()?.status == .notServing)
      health.isServing = true
      #expect(try await replies.next()?.status == .serving)
      health.stop()
      #expect(try await replies.next()?.status == .notServing)
      #expect(try await replies.next() == nil)
      // A stop is for ever.
      health.isServing = true
      #expect(try await client.check(HealthCheckRequest(), options: .init()).status == .notServing)
    }
  }

  @Test("A watcher of an unknown service is told so, and hears nothing more until the stop ends its stream")
  func watchUnknown() async throws {
    try await withServer { health, channel, _, _ in
      let replies = try await HealthClient(channel: channel).watch(
        HealthCheckRequest(service: "no.such.Service"), options: .init())
      #expect(try await replies.next()?.status == .serviceUnknown)
      health.isServing = true
      health.stop()
      #expect(try await replies.next() == nil)
    }
  }

  @Test("A stop does not wait for those who watch")
  func stopWithWatchers() async throws {
    try await withServer { health, channel, server, _ in
      let replies = try await HealthClient(channel: channel).watch(HealthCheckRequest(), options: .init())
      #expect(try await replies.next()?.status == .notServing)
      health.stop()
      // Ends only when the stream has; an hour is longer than the test may take.
      await server.shutdown(grace: .seconds(3_600))
      #expect(try await replies.next() == nil)
    }
  }

  @Test("All states are listed")
  func list() async throws {
    try await withServer { health, channel, _, _ in
      health.isServing = true
      let statuses = try await HealthClient(channel: channel).list(HealthListRequest(), options: .init()).statuses
      #expect(statuses.mapValues(\.status) == ["": .serving, Self.name: .serving])
    }
  }

  @Test(
    "PyPI's health and reflection clients get what they ask for",
    .enabled("PyPI grpcio-health-checking and grpcio-reflection are not installed") {
      try await Python.interpreter(with: modules) != nil
    })
  func foreignClients() async throws {
    try await withServer { health, _, server, tls in
      health.isServing = true
      let files = [tls.authorityPath, tls.certificateChainPath ?? "", tls.privateKeyPath ?? ""]
      let result = try await Python.run(
        script: "Tests/Integration/infrastructure.py", arguments: ["\(server.port)"] + files + [Self.name],
        modules: Self.modules)
      #expect(result?.code == 0, "\(result?.output ?? "") \(result?.errors ?? "")")
    }
  }
}
