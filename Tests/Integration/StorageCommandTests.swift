import Foundation
import MainstayTesting
import Testing

/// Work on stored data with the real programs.
@Suite(
  .serialized, .timeLimit(.minutes(15)),
  .enabled(if: Program.exists("mainstay"), "the programs are not built: make release"))
struct StorageCommandTests {
  private func createBranch(_ code: String, _ system: RunningSystem) async throws {
    let body = #"{"branch": {"code": "\#(code)", "name": "Branch", "region": "广东省"}, "requestId": "\#(code)"}"#
    let created = try await system.mainstay(["call", "mainstay.agent.v1.AgentService/CreateBranch", body])
    #expect(created.code == 0, "\(created.errors)")
  }

  private func branches(_ system: RunningSystem) async throws -> Int {
    let listed = try await system.mainstay(["agents", "branches", "--format", "csv"])
    #expect(listed.code == 0, "\(listed.errors)")
    return listed.output.split(separator: "\n").count - 1
  }

  /// Whether reporting has all of the agent service's events, and has counted so many.
  private func hasCaughtUp(_ system: RunningSystem, events: Int) async throws -> Bool {
    try await eventually(within: .seconds(90)) {
      let lag = try await system.mainstay(["reports", "lag", "--format", "csv"]).output
      let cells = lag.split(separator: "\n").first { $0.hasPrefix("agent,") }?.split(separator: ",") ?? []
      return cells.count > 4 && cells[2] == "true" && cells[4] == "\(events)"
    }
  }

  @Test func whoFollowsARestoredServiceBeginsAnew() async throws {
    let backups = try TemporaryFolder()
    let file = backups.file("agent.db")
    let system = try RunningSystem()
    try #require(try await system.up().code == 0)
    for code in ["A", "B", "C"] { try await createBranch(code, system) }
    let backup = try await system.mainstay(["storage", "backup", "agent", file])
    #expect(backup.code == 0, "\(backup.errors)")
    let twice = try await system.mainstay(["storage", "backup", "agent", file])
    #expect(twice.code == 1 && twice.errors.contains("there is a file already"), "\(twice.errors)")
    for code in ["D", "E"] { try await createBranch(code, system) }
    #expect(try await hasCaughtUp(system, events: 5))
    let inUse = try await system.mainstay(["storage", "restore", "agent", file, "--replace"])
    #expect(inUse.code == 1 && inUse.errors.contains("is in use by process"), "\(inUse.errors)")
    try await system.down()
    let refused = try await system.mainstay(["storage", "restore", "agent", file])
    #expect(refused.code == 1 && refused.errors.contains("--replace"), "\(refused.errors)")
    let restored = try await system.mainstay(["storage", "restore", "agent", file, "--replace"])
    #expect(restored.code == 0, "\(restored.errors)")
    try #require(try await system.up().code == 0)
    #expect(try await branches(system) == 3)
    // What reporting had built from the two that are gone is gone too.
    #expect(try await hasCaughtUp(system, events: 3))
    try await createBranch("D", system)
    #expect(try await hasCaughtUp(system, events: 4))
    try await system.down()
    let checked = try await system.mainstay(["storage", "check", "--format", "csv"])
    #expect(checked.code == 0, "\(checked.output)\(checked.errors)")
  }

  @Test func aCheckFindsDamageAndSaysWhatToDo() async throws {
    let system = try RunningSystem()
    try #require(try await system.up().code == 0)
    for number in 0..<40 { try await createBranch("B\(number)", system) }
    let running = try await system.mainstay(["storage", "check", "agent"])
    #expect(running.code == 1 && running.errors.contains("is in use by process"), "\(running.errors)")
    try await system.down()
    let whole = try await system.mainstay(["storage", "check", "--format", "csv"])
    #expect(whole.code == 0, "\(whole.output)\(whole.errors)")
    #expect(whole.output.contains("agent,events of branch,ok,,40 rows"), "\(whole.output)")
    // The last page of the file, whatever it holds.
    let path = system.home.file("data/agent.db")
    let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
    let end = try file.seekToEnd()
    try file.seek(toOffset: end - 4_096)
    try file.write(contentsOf: Data(repeating: 0x5A, count: 4_096))
    try file.close()
    let damaged = try await system.mainstay(["storage", "check", "agent", "--format", "csv"])
    #expect(damaged.code == 1)
    #expect(
      damaged.output.contains("agent,pages,failed,page \(end / 4_096) at byte \(end - 4_096),"), "\(damaged.output)")
    #expect(damaged.errors.contains("restore a backup"), "\(damaged.errors)")
  }
}
