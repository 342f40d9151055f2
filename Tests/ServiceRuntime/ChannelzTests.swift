import API
import Logging
import MainstayTesting
import RPCCore
import RPCTransport
import Testing

@testable import ServiceRuntime

@Suite("Channel statistics", .timeLimit(.minutes(10)))
struct ChannelzTests {
  static let modules = ["grpc", "grpc_channelz"]

  @Test(
    "PyPI's channelz client learns who is connected, whom the process calls and what went wrong; only administrators may",
    .enabled("PyPI grpcio-channelz is not installed") { try await Python.interpreter(with: modules) != nil })
  func foreignClient() async throws {
    let authority = try TestAuthority()
    let group = try EventLoopGroup(count: 2)
    let health = HealthRegistry(services: [])
    let router = try InfrastructureServices.router([], health: health, access: .checked, group: group)
    let server = try await Server(
      .init(host: "127.0.0.1", port: 0, tls: authority.issue("test", role: "service")),
      acceptor: GRPCAcceptor(router: router, logger: Logger(label: "test")), group: group)
    let context = try TLSContext(try authority.issue("caller", role: "service", hosts: []), role: .client)
    // One channel that is connected, to the process itself, and one to nobody.
    let (loop, closed) = (group.first, try freePort())
    let channels = [server.port, closed].map { ClientChannel(host: "127.0.0.1", port: $0, tls: context, loop: loop) }
    try await loop.run {
      _ = try await HealthClient(channel: channels[0]).check(HealthCheckRequest(), options: .init())
      _ = try? await HealthClient(channel: channels[1]).check(HealthCheckRequest(), options: .init())
    }
    let admin = try authority.issue("admin", role: "administrator", hosts: [])
    let auditor = try authority.issue("eve", role: "auditor", hosts: [])
    let files =
      [admin.authorityPath]
      + [admin, auditor].flatMap { [$0.certificateChainPath, $0.privateKeyPath] }
      .map { $0 ?? "" }
    let result = try await Python.run(
      script: "Tests/ServiceRuntime/channelz.py", arguments: ["\(server.port)"] + files, modules: Self.modules)
    #expect(result?.code == 0, "\(result?.output ?? "") \(result?.errors ?? "")")
    try await loop.run { for channel in channels { channel.close() } }
    await server.shutdown(grace: .zero)
    group.stop()
  }
}
