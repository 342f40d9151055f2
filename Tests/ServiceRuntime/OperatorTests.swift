import API
import Logging
import MainstayTesting
import RPCCore
import RPCTransport
import Testing

@testable import ServiceRuntime

@Suite("The operators' listener", .timeLimit(.minutes(10)))
struct OperatorTests {
  static let modules = ["prometheus_client"]

  @Test(
    "Probes learn whether the process serves, Prometheus reads gRPC's metrics, and garbage harms nobody",
    .enabled("PyPI prometheus-client is not installed") { try await Python.interpreter(with: modules) != nil })
  func listener() async throws {
    let authority = try TestAuthority()
    let group = try EventLoopGroup(count: 2)
    let health = HealthRegistry(services: [])
    let router = try InfrastructureServices.router([], health: health, access: .checked)
    let server = try await Server(
      .init(host: "127.0.0.1", port: 0, tls: authority.issue("test", role: "service")),
      acceptor: GRPCAcceptor(router: router, logger: Logger(label: "test")), group: group)
    let answers = OperatorAnswers(group: group, health: health)
    let operators = try await OperatorServer(host: "127.0.0.1", port: 0, loop: group.first) { await answers.answer($0) }
    func ask(_ state: String) async throws {
      let result = try await Python.run(
        script: "Tests/ServiceRuntime/operators.py", arguments: ["\(operators.port)", state], modules: Self.modules)
      #expect(result?.code == 0, "\(result?.output ?? "") \(result?.errors ?? "")")
    }
    try await ask("starting")
    health.isServing = true
    let context = try TLSContext(try authority.issue("caller", role: "tester", hosts: []), role: .client)
    let loop = group.first
    let channel = try await loop.run {
      let channel = ClientChannel(host: "127.0.0.1", port: server.port, tls: context, loop: loop)
      for service in ["", "", "no.such.Service"] {
        _ = try? await HealthClient(channel: channel).check(HealthCheckRequest(service: service), options: .init())
      }
      return channel
    }
    try await ask("serving")
    try await loop.run { channel.close() }
    operators.stop()
    await server.shutdown(grace: .zero)
    group.stop()
  }
}
