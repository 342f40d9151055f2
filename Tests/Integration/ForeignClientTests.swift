import MainstayTesting
import Testing

/// Clients that others wrote, against Mainstay as `mainstay up` runs it.
@Suite(.timeLimit(.minutes(10)), .enabled(if: Program.exists("mainstay"), "the programs are not built: make release"))
struct ForeignClientTests {
  private static let modules = ["grpc", "grpc_health", "grpc_reflection"]

  @Test(.enabled("PyPI grpcio is not installed") { try await Python.interpreter(with: modules) != nil })
  func grpcioSeesAStockServiceBehindTheGateway() async throws {
    let system = try RunningSystem()
    let up = try await system.up()
    #expect(up.code == 0, "\(up.errors)")
    let result = try await Python.run(
      script: "Tests/Integration/grpc_client.py", arguments: ["\(system.gatewayPort)", system.home.file("pki")],
      modules: Self.modules)
    #expect(result?.code == 0, "\(result?.output ?? "") \(result?.errors ?? "")")
    try await system.down()
  }

  @Test(.enabled("PyPI grpcio is not installed") { try await Python.interpreter(with: modules) != nil })
  func healthAndReflectionOfEveryServiceAnswerStockClients() async throws {
    try await withSystem { system in
      let pki = ["ca.pem", "admin.pem", "admin-key.pem"].map { system.home.file("pki/\($0)") }
      func ask(_ process: String, _ more: [String]) async throws {
        let result = try await Python.run(
          script: "Tests/Integration/infrastructure.py", arguments: ["\(system.ports[process] ?? 0)"] + pki + more,
          modules: Self.modules)
        #expect(result?.code == 0, "\(process) \(more): \(result?.output ?? "") \(result?.errors ?? "")")
      }
      try await ask("gateway", ["-"])
      for (process, service) in [
        ("customer", "CustomerService"), ("agent", "AgentService"), ("partner", "PartnerService"),
        ("reporting", "ReportingService"),
      ] {
        let name = "mainstay.\(process).v1.\(service)"
        try await ask(process, [name])
        try await ask("gateway", [name, process])
      }
    }
  }

  @Test(
    .enabled("PyPI grpcio-tools is not installed") {
      try await Python.interpreter(with: modules + ["grpc_tools"]) != nil
    })
  func clientsGeneratedFromTheProtosCallEveryMethod() async throws {
    let system = try RunningSystem()
    let up = try await system.up()
    #expect(up.code == 0, "\(up.errors)")
    let result = try await Python.run(
      script: "Tests/Integration/grpc_smoke.py",
      arguments: ["proto", system.home.file("pki")] + system.ports.map { "\($0.key)=\($0.value)" },
      modules: Self.modules + ["grpc_tools"])
    #expect(result?.code == 0, "\(result?.output ?? "") \(result?.errors ?? "")")
    try await system.down()
  }
}
