import Core
import Foundation
import MainstayTesting
import Synchronization
import Testing

/// One import, and what is killed meanwhile.
final class CrashRound: Sendable {
  /// One of the files of an import.
  struct Step: Sendable {
    let name: String
    let command: [String]

    func arguments(_ system: RunningSystem, _ source: String) -> [String] {
      let mapping = system.home.file("\(name).yaml")
      return command + [system.home.file("\(source)-\(name).csv"), "--source", source, "--mapping", mapping]
    }
  }

  static let steps = [
    Step(name: "customers", command: ["customers", "import"]),
    Step(name: "policies", command: ["policies", "import"]),
    Step(name: "premiums", command: ["policies", "import-premiums"]),
    Step(name: "changes", command: ["customers", "import"]),
  ]

  /// The program that imports, beside what `mainstay up` starts, and the supervisor.
  private static let victims = RunningSystem.processes + ["import", "supervisor", "customer", "reporting", "import"]
  /// The rows of a round: about a second.
  private static let policies = 2_500
  /// Kills fall within this time; imports take about as long.
  private static let latestKillMilliseconds = 1_800

  private struct Kill: Sendable {
    let afterMilliseconds: Int
    let victims: [String]
  }

  let book: CrashBook
  let agents: [String]
  private let system: RunningSystem
  private let branch: String
  private let batch: Int
  private let kills: [Kill]
  private let importing = Mutex<Int32?>(nil)

  /// Draws the rows and the kills.
  init(number: Int, in system: RunningSystem, branch: String, random: inout SeededGenerator) throws {
    (self.system, self.branch) = (system, branch)
    let partners = (0..<2).map { "CR-\(number)-\($0)" }
    book = CrashBook(source: "round-\(number)", partners: partners, policies: Self.policies, random: &random)
    agents = (0..<2).map { "A-\(number)-\($0)" }
    batch = [50, 200, 500].randomElement(using: &random) ?? 200
    var kills: [Kill] = []
    for index in 0..<(random.oneIn(3) ? 2 : 1) {
      // The second one falls into the recovery from the first.
      let limit = index == 0 ? Self.latestKillMilliseconds : 600
      let count = random.oneIn(4) ? 2 : 1
      let victims = (0..<count).map { _ in Self.victims.randomElement(using: &random) ?? "customer" }
      kills.append(Kill(afterMilliseconds: .random(in: 0..<limit, using: &random), victims: victims))
    }
    self.kills = kills
    for (name, text) in [
      ("customers", book.customerFile), ("policies", book.policyFile), ("premiums", book.premiumFile),
      ("changes", book.changedFile),
    ] { try system.home.write("\(book.source)-\(name).csv", text) }
  }

  /// Imports all, creates the agents and partners, and kills; gives what happened.
  func run() async throws -> String {
    async let imported = ContinuousClock().measure { try await importAll() }
    async let created: Void = createAll()
    let story = try await kill()
    let time = try await imported
    try await created
    return "\(story); imported after \(time.formatted(.units(allowed: [.milliseconds])))"
  }

  /// File after file, each again and again until its rows are in.
  private func importAll() async throws {
    for step in Self.steps {
      let arguments = step.arguments(system, book.source) + ["--batch", "\(batch)"]
      var last: Program.Result?
      let isDone = try await eventually(within: .seconds(120)) {
        let running = try Program.Running(
          "mainstay", arguments, environment: ["MAINSTAY_HOME": system.home.path])
        importing.withLock { $0 = running.identifier }
        let result = try await running.result()
        importing.withLock { $0 = nil }
        last = result
        return result.code == 0
      }
      try #require(isDone, "\(step.name): \(last?.errors ?? "")")
    }
  }

  /// The same request until it is answered: it counts once, also when an answer was lost.
  private func createAll() async throws {
    for code in agents {
      let body = """
        {"agent": {"code": "\(code)", "name": "Agent", "type": "AGENT_TYPE_OWN", "branchId": "\(branch)",
          "joinDate": {"year": 2026, "month": 3, "day": 1}}, "requestId": "\(code)"}
        """
      _ = try await system.answer(["call", "mainstay.agent.v1.AgentService/CreateAgent", body])
    }
    for code in book.partners {
      let body = """
        {"partner": {"code": "\(code)", "name": "\(code.lowercased())", "kind": "PARTNER_KIND_BANK",
          "contractFrom": {"year": 2026, "month": 1, "day": 1}}, "requestId": "\(code)"}
        """
      _ = try await system.answer(["call", "mainstay.partner.v1.PartnerService/CreatePartner", body])
    }
  }

  /// The moments were drawn: nothing is waited for.
  private func kill() async throws -> String {
    var story: [String] = []
    for kill in kills {
      try await Task.sleep(for: .milliseconds(kill.afterMilliseconds))
      for victim in kill.victims {
        let hit = hit(victim)
        story.append("\(victim) after \(kill.afterMilliseconds) ms\(hit ? "" : " (was not running)")")
      }
      if kill.victims.contains("supervisor") { try await system.startAgain() }
    }
    return story.joined(separator: ", ")
  }

  private func hit(_ victim: String) -> Bool {
    guard victim == "import" else { return system.kill(victim) }
    return importing.withLock { $0.map { Foundation.kill($0, SIGKILL) == 0 } ?? false }
  }
}
