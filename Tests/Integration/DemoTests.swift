import MainstayTesting
import Testing

/// The demo data by the real programs, in a small size.
@Suite(
  .serialized, .timeLimit(.minutes(10)),
  .enabled(if: Program.exists("mainstay"), "the programs are not built: make release"))
struct DemoTests {
  private func rows(_ system: RunningSystem, _ arguments: [String]) async throws -> [[Substring]] {
    let result = try await system.mainstay(["reports", "run"] + arguments + ["--format", "csv"])
    #expect(result.code == 0 && result.errors.isEmpty, "\(arguments): \(result.errors)")
    return result.output.split(separator: "\n").dropFirst().map {
      $0.split(separator: ",", omittingEmptySubsequences: false)
    }
  }

  @Test func aLoadThatIsRepeatedChangesNothingAndReportsShowSomething() async throws {
    let system = try RunningSystem()
    let up = try await system.up()
    try #require(up.code == 0, "\(up.errors)")
    do {
      try await checkLoading(system)
      try await checkReports(system)
    } catch {
      try await system.down()
      throw error
    }
    try await system.down()
  }

  @Test func aSystemThatIsInUseIsLeftAloneIfAsked() async throws {
    let system = try RunningSystem()
    let up = try await system.up()
    try #require(up.code == 0, "\(up.errors)")
    let made = try await system.mainstay([
      "call", "mainstay.customer.v1.CustomerService/CreateParty",
      #"{"party": {"source": "own", "sourceKey": "1", "person": {"fullName": "王丽华"}}}"#,
    ])
    #expect(made.code == 0, "\(made.errors)")
    let load = try await system.mainstay(["demo", "load", "--unless-used"])
    #expect(load.code == 0 && load.output.contains("no demo data was loaded"), "\(load.output) \(load.errors)")
    let branches = try await system.mainstay(["agents", "branches", "--format", "csv"])
    #expect(branches.output.split(separator: "\n").count == 1, "\(branches.output)")
    try await system.down()
  }

  private func checkLoading(_ system: RunningSystem) async throws {
    let load = ["demo", "load", "--scale", "5"]
    let first = try await system.mainstay(load + ["--format", "csv"])
    try #require(first.code == 0, "\(first.errors)")
    for line in ["branches,34,0,0", "agents,500,0,0", "partners,213,0,0", "products,60,0,0", "policies,1500,0,0"] {
      #expect(first.output.contains("\n" + line + ","), "\(line) in \(first.output)")
    }
    let again = try await system.mainstay(load + ["--again", "--format", "csv"])
    #expect(again.code == 0, "\(again.errors)")
    let changes = again.output.split(separator: "\n").dropFirst().map { $0.split(separator: ",") }
    #expect(changes.count == 10)
    #expect(changes.allSatisfy { $0[1] == "0" && $0[2] == "0" && $0[3] != "0" }, "\(again.output)")
    let known = try await system.mainstay(load)
    #expect(known.code == 0 && known.output.contains("Demo data is loaded"), "\(known.output) \(known.errors)")
    #expect(known.output.contains("127.0.0.1:\(system.gatewayPort)"))
    let other = try await system.mainstay(["demo", "load", "--scale", "6"])
    #expect(other.code == 1 && other.errors.contains("empty state folder"), "\(other.errors)")
    let wrong = try await system.mainstay(["demo", "load", "--scale", "0"])
    #expect(wrong.code == 2 && wrong.errors.contains("--scale"), "\(wrong.errors)")
  }

  private func checkReports(_ system: RunningSystem) async throws {
    #expect(try await rows(system, ["kpi"]).contains { $0[0] == "policies" && Int($0[2]) ?? 0 > 1_400 })
    for dimension in ["channel", "product", "partner", "branch", "agent", "premium-frequency", "issue-month"] {
      #expect(try await rows(system, ["kpi", "--by", dimension]).count > 20, "kpi by \(dimension)")
      let kept = try await rows(
        system, ["persistency", "--form", "premium", "--months", "13", "--by", dimension])
      #expect(kept.count > 4, "persistency by \(dimension)")
      #expect(kept.contains { (0.5...0.99).contains(Double($0.last ?? "") ?? 0) }, "persistency by \(dimension)")
    }
    let month13 = try await rows(system, ["persistency", "--form", "premium", "--months", "13"])
    #expect((0.78...0.92).contains(Double(month13.first?.last ?? "") ?? 0), "\(month13)")
    let survival = try await rows(system, ["survival", "--by", "channel", "--months", "12,24"])
    #expect(survival.count == 12)
    let causes = try await rows(system, ["end-causes"])
    #expect(Set(causes.map { $0[0] }).isSuperset(of: ["in-force", "surrender", "lapse"]), "\(causes)")
  }
}
