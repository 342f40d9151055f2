import Foundation
import MainstayTesting
import Testing

/// mainstay agents and the agent service behind the gateway, with the real programs.
@Suite(
  .serialized, .timeLimit(.minutes(10)),
  .enabled(if: Program.exists("mainstay"), "the programs are not built: make release"))
struct AgentCommandTests {
  @Test func agentsAreTakenOnAndListed() async throws {
    let system = try RunningSystem()
    try #require(try await system.up().code == 0)
    let service = "mainstay.agent.v1.AgentService"
    for code in ["GD", "HN"] {
      let branch = "{\"branch\": {\"code\": \"\(code)\", \"name\": \"\(code)分公司\", \"region\": \"广东省\"}}"
      let made = try await system.mainstay(["call", "\(service)/CreateBranch", branch])
      #expect(made.code == 0, "\(made.errors)")
    }
    let branches = try await system.mainstay(["agents", "branches", "--format", "csv"])
    #expect(branches.output.split(separator: "\n").count == 3, "\(branches.errors)")
    let created = try await system.mainstay([
      "agents", "create", "A-100", "--name", "王丽华", "--branch", "GD", "--join-date", "2026-03-01", "--format", "csv",
    ])
    #expect(created.code == 0 && created.output.contains(",A-100,王丽华,OWN,ACTIVE,brn_"), "\(created.errors)")
    let id = try #require(created.output.split(separator: "\n").last?.split(separator: ",").first)
    let listed = try await system.mainstay(["agents", "list", "--branch", "GD", "--format", "csv"])
    #expect(listed.output == created.output, "\(listed.errors)")
    let other = try await system.mainstay(["agents", "list", "--branch", "HN", "--format", "csv"])
    #expect(other.output.split(separator: "\n").count == 1)
    let got = try await system.mainstay(["agents", "get", String(id), "--format", "json"])
    #expect(got.output.contains("\"joinDate\""), "\(got.errors)")
    let again = try await system.mainstay(["agents", "create", "A-100", "--name", "王", "--branch", "GD"])
    #expect(again.code == 1 && again.errors.hasPrefix("ALREADY_EXISTS: "), "\(again.errors)")
    let nowhere = try await system.mainstay(["agents", "list", "--branch", "XX"])
    #expect(nowhere.code == 1 && nowhere.errors.contains("no branch has the code XX"), "\(nowhere.errors)")
    let wrong = try await system.mainstay(["agents", "create", "A", "--name", "王", "--branch", "GD", "--type", "x"])
    #expect(wrong.code == 2 && wrong.errors.contains("--type x"), "\(wrong.errors)")
    try await system.down()
  }

  @Test func aConfigurationFromBeforeTheServiceSaysWhatToAdd() async throws {
    let system = try RunningSystem()
    try #require(try await system.up().code == 0)
    try await system.down()
    let file = system.home.file("config/gateway.yaml")
    let lines = try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n")
    let removed = try #require(lines.first { $0.hasPrefix("  agent: ") })
    try system.home.write("config/gateway.yaml", lines.filter { $0 != removed }.joined(separator: "\n") + "\n")
    let up = try await system.mainstay(["up"])
    #expect(up.code == 0, "the others work as before: \(up.errors)")
    #expect(up.errors.contains("gateway.yaml") && up.errors.contains("\"\(removed)\""), "\(up.errors)")
    #expect(try await system.mainstay(["customers", "list"]).code == 0)
    let refused = try await system.mainstay(["agents", "branches"])
    #expect(refused.code == 1 && refused.errors.hasPrefix("UNIMPLEMENTED: "), "\(refused.errors)")
    try await system.down()
  }
}
