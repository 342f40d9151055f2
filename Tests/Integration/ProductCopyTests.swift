import Foundation
import MainstayTesting
import Testing

/// How far a withdrawal comes, over the real processes, asked of each service as an operator does.
@Suite(
  .serialized, .timeLimit(.minutes(10)),
  .enabled(if: Program.exists("mainstay"), "the programs are not built: make release"))
struct ProductCopyTests {
  private static let followers = ["customer", "agent", "reporting"]

  private func create(_ code: String, _ system: RunningSystem) async throws {
    let created = try await system.mainstay([
      "products", "create", code, "--name", "Whole life", "--line", "whole-life", "--from", "2026-01-01",
    ])
    #expect(created.code == 0, "\(created.errors)")
  }

  /// The states that the services know a product in, by service.
  private func states(of code: String, _ system: RunningSystem, _ more: [String] = []) async throws -> [String: String]
  {
    let copies = try await system.mainstay(["products", "copies", code, "--format", "csv"] + more)
    var states: [String: String] = [:]
    for line in copies.output.split(separator: "\n").dropFirst() {
      let cells = line.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
      if cells.count == 6 { states[cells[0]] = cells[4] }
    }
    return states
  }

  private func expected(_ state: String) -> [String: String] {
    Dictionary(uniqueKeysWithValues: Self.followers.map { ($0, state) })
  }

  @Test func aWithdrawalReachesAllServicesInTime() async throws {
    try await withSystem { system in
      try await create("WL-1", system)
      #expect(try await eventually { try await states(of: "WL-1", system) == expected("ON_SALE") })
      let withdrawn = try await system.mainstay(["products", "withdraw", "WL-1", "--reason", "rates"])
      #expect(withdrawn.code == 0, "\(withdrawn.errors)")
      let clock = ContinuousClock()
      let start = clock.now
      let hasArrived = try await eventually {
        try await states(of: "WL-1", system) == expected("WITHDRAWN")
      }
      #expect(hasArrived)
      print("a withdrawal was with all services \(clock.now - start) after its reply, programs that asked included")
      let all = try await system.mainstay(["products", "copies", "--format", "csv"])
      #expect(all.code == 0 && all.errors.isEmpty && all.output.split(separator: "\n").count == 4, "\(all.errors)")
      let unknown = try await system.mainstay(["products", "copies", "XX", "--service", "agent"])
      #expect(unknown.code == 0 && isOneLine(unknown.errors) && unknown.errors.contains("XX"), "\(unknown.errors)")
      let wrong = try await system.mainstay(["products", "copies", "--service", "partner"])
      #expect(wrong.code == 2 && wrong.errors.contains("customer, agent, reporting"), "\(wrong.errors)")
    }
  }

  @Test(arguments: followers) func whoWasDownKnowsOfItFromItsStart(service: String) async throws {
    try await withSystem { system in
      try await create("WL-1", system)
      #expect(try await eventually { try await states(of: "WL-1", system) == expected("ON_SALE") })
      // Held before the withdrawal and killed behind it: the supervisor would start it again at once.
      let process = try #require(system.processIdentifier(of: service))
      kill(process, SIGSTOP)
      let withdrawn = try await system.mainstay(["products", "withdraw", "WL-1", "--reason", "rates"])
      #expect(withdrawn.code == 0, "\(withdrawn.errors)")
      kill(process, SIGKILL)
      let isHealthy = try await eventually {
        let status = try await system.mainstay(["status", "--format", "csv"]).output
        let line = status.split(separator: "\n").first { $0.hasPrefix("mainstay-\(service),") }
        return system.processIdentifier(of: service) != process && line?.contains(",SERVING,") == true
      }
      #expect(isHealthy)
      // Not eventually: a service that is healthy knows.
      let target = "127.0.0.1:\(system.ports[service] ?? 0)"
      let known = try await states(of: "WL-1", system, ["--service", service, "--target", target])
      #expect(known == [service: "WITHDRAWN"])
    }
  }
}
