import Foundation
import MainstayTesting
import Testing

private let lapses = "../shared/data/uslapseagent.csv"

/// Real policies from the file to the figures, with the real programs, against figures that a script computes from the file alone.
@Suite(
  .serialized, .timeLimit(.minutes(10)),
  .enabled(if: Program.exists("mainstay"), "the programs are not built: make release"),
  .enabled(if: FileManager.default.fileExists(atPath: lapses), "../shared/data is not here"),
  .enabled("there is no python3") { try await Python.interpreter(with: ["fractions"]) != nil })
struct ReportTests {
  private func script(_ arguments: [String]) async throws -> String {
    let result = try await Python.run(
      script: "Tests/Reporting/persistency.py", arguments: arguments, modules: ["fractions"])
    #expect(result?.code == 0, "\(result?.errors ?? "no python")")
    return result?.output ?? ""
  }

  private func report(_ system: RunningSystem, _ arguments: [String]) async throws -> String {
    let result = try await system.mainstay(
      ["reports", "run"] + arguments + ["--source", "uslapseagent", "--format", "csv"])
    #expect(result.code == 0, "\(result.errors)")
    return result.output
  }

  /// The last column of each line, by the columns that are named.
  private func values(_ csv: String, keys: Int) -> [String: Double] {
    var values: [String: Double] = [:]
    for line in csv.split(separator: "\n").dropFirst() {
      let cells = line.split(separator: ",")
      values[cells.prefix(keys).joined(separator: ",")] = cells.last.flatMap { Double($0) }
    }
    return values
  }

  @Test func uslapseagentGivesTheFiguresOfTheFile() async throws {
    try await withSystem { system in try await check(system) }
  }

  private func check(_ system: RunningSystem) async throws {
    let imported = try await system.mainstay([
      "policies", "import", lapses, "--source", "uslapseagent", "--mapping",
      "services/customer/mappings/uslapseagent.yaml", "--format", "json",
    ])
    #expect(imported.code == 0, "\(imported.errors)")
    #expect(imported.output.contains("\"created\": 29317"))
    let facts = try await script(["facts", lapses]).split(separator: "\n").last?.split(separator: ",") ?? []
    try #require(facts.count == 3)
    #expect(imported.output.contains("\"missing_amounts\": \(facts[1])"))
    let isCaughtUp = try await eventually {
      try await system.mainstay(["reports", "lag", "--format", "csv"]).output.contains("customer,true,true,0,58634,0")
    }
    #expect(isCaughtUp)
    try await checkPersistency(system)
    try await checkSurvival(system)
    #expect(try await report(system, ["kpi"]).contains("\npremium,minor units USD,\(facts[2])\n"))
    #expect(
      try await report(system, ["end-causes"])
        == "cause,policies,share\nin-force,14453,0.492990\nsurrender,11098,0.378552\nother,2482,0.084661\ndeath,1284,0.043797\n"
    )
    // From zero, to the unit.
    let before = try await report(system, ["persistency", "--by", "premium-frequency", "--basis", "premium"])
    #expect(try await system.mainstay(["reports", "rebuild", "--format", "csv"]).output == "events\n58634\n")
    #expect(try await report(system, ["persistency", "--by", "premium-frequency", "--basis", "premium"]) == before)
  }

  private func checkPersistency(_ system: RunningSystem) async throws {
    for arguments in [
      ["--by", "premium-frequency", "--months", "13,25,37"], ["--months", "1,2,3,13,25,37,60,100"],
      ["--by", "premium-frequency", "--basis", "premium", "--months", "13,25,37"],
    ] {
      let ours = try await report(system, ["persistency"] + arguments)
      #expect(ours == (try await script(["persistency", lapses] + arguments)), "\(arguments)")
    }
  }

  /// The figures of ../shared/data/README.md, and the script's.
  private func checkSurvival(_ system: RunningSystem) async throws {
    let known: [(event: String, keys: Int, [String: Double])] = [
      (
        "surrender", 1,
        [
          "12": 0.920117, "13": 0.915265, "24": 0.865967, "25": 0.862101, "36": 0.822408, "60": 0.755911,
          "120": 0.619047, "180": 0.492593,
        ]
      ),
      (
        "any", 1,
        [
          "12": 0.905891, "13": 0.900263, "24": 0.837442, "25": 0.832643, "36": 0.782524, "60": 0.694730,
          "120": 0.522637, "180": 0.378920,
        ]
      ),
      (
        "surrender", 2,
        [
          "annual,12": 0.930255, "annual,24": 0.881922, "annual,60": 0.782402, "infra-annual,12": 0.910756,
          "infra-annual,24": 0.851019, "infra-annual,60": 0.727925, "other,12": 0.942384, "other,24": 0.902033,
          "other,60": 0.829710,
        ]
      ),
    ]
    for (event, keys, expected) in known {
      let months = Set(expected.keys.compactMap { $0.split(separator: ",").last.flatMap { Int($0) } }).sorted()
      let arguments =
        ["--event", event, "--months", months.map(String.init).joined(separator: ",")]
        + (keys == 2 ? ["--by", "premium-frequency"] : [])
      let ours = values(try await report(system, ["survival"] + arguments), keys: keys)
      let scripts = values(try await script(["survival", lapses] + arguments), keys: keys)
      for (key, value) in expected {
        #expect(abs((ours[key] ?? -1) - value) <= 1e-6, "\(event) \(key)")
        #expect(abs((ours[key] ?? -1) - (scripts[key] ?? 2)) <= 2e-9, "\(event) \(key)")
      }
    }
  }
}
