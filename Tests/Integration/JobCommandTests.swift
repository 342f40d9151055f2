import Foundation
import MainstayTesting
import Testing

/// Long work with the real programs: killed in the middle, and by command.
@Suite(
  .serialized, .timeLimit(.minutes(10)),
  .enabled(if: Program.exists("mainstay"), "the programs are not built: make release"))
struct JobCommandTests {
  private static let people = 30_000
  private static let mostKills = 10

  @Test func aJobWhoseProcessIsKilledGoesOnFromItsCheckpointToTheSameEnd() async throws {
    try await withSystem { system in
      try system.home.write("mapping.yaml", CrashBook.customerMapping + "\n")
      let rows = (0..<Self.people).map { "\($0),王,丽\($0),1980-01-01\n" }
      try system.home.write("people.csv", "id,family,given,born\n" + rows.joined())
      let imported = try await system.mainstay([
        "customers", "import", system.home.file("people.csv"), "--source", "s", "--mapping",
        system.home.file("mapping.yaml"),
      ])
      try #require(imported.code == 0, "\(imported.errors)")
      let search = ["customers", "search", "丽29", "--format", "csv", "--limit", "1000"]
      let found = try await system.answer(search)
      let (job, reached) = try await killInTheMiddle(system)
      // The gateway answers UNAVAILABLE until the service is back.
      _ = try await system.answer(["jobs", "show", "customer", job])
      let after = try await watch(job, system).result()
      #expect(after.code == 0, "\(after.errors)")
      #expect(done(after.output).allSatisfy { (reached...Self.people).contains($0) })
      let ended = try await system.answer(["jobs", "watch", "customer", job, "--format", "csv"])
      let line = try #require(ended.split(separator: "\n").last)
      let cells = line.split(separator: ",", omittingEmptySubsequences: false)
      #expect(cells[2...6] == ["succeeded", "\(Self.people)", "\(Self.people)", "parties", "2"], "\(ended)")
      #expect(try await system.answer(search) == found)
    }
  }

  @Test func eachServiceHasJobsAndTellsOfThem() async throws {
    try await withSystem { system in
      for service in ["customer", "agent", "partner", "reporting"] {
        let kinds = try await system.answer(["jobs", "kinds", service, "--format", "csv"])
        #expect(kinds.contains("housekeeping,true,3600,"), "\(service): \(kinds)")
        let run = try await system.answer(["jobs", "start", service, "housekeeping", "--wait", "--format", "csv"])
        #expect(run.contains(",housekeeping,succeeded,"), "\(service): \(run)")
        let listed = try await system.answer(["jobs", "list", service, "--kind", "housekeeping", "--format", "csv"])
        // The service itself has begun one as it started.
        #expect(listed.contains("mainstay-\(service)") && listed.contains("admin"), "\(service): \(listed)")
      }
      let rebuild = ["jobs", "start", "reporting", "rebuild-facts", "--wait", "--format", "csv"]
      let rebuilt = try await system.answer(rebuild)
      #expect(rebuilt.contains(",rebuild-facts,succeeded,"), "\(rebuilt)")
      let unknown = try await system.mainstay(["jobs", "start", "agent", "rebuild-facts"])
      #expect(unknown.code == 1 && unknown.errors.contains("ListJobKinds"), "\(unknown.errors)")
    }
  }

  /// Starts the job and kills its process as soon as it has done something: the job, and how far it was seen to be. A job that
  /// was over before the kill is followed by another one.
  private func killInTheMiddle(_ system: RunningSystem) async throws -> (job: String, reached: Int) {
    for _ in 0..<Self.mostKills {
      let started = try await system.answer(["jobs", "start", "customer", "rebuild-name-index", "--format", "csv"])
      let job = try #require(started.split(separator: "\n").last?.split(separator: ",").first.map(String.init))
      let before = try watch(job, system)
      let isUnderWay = try await eventually(within: .seconds(90)) { done(before.output).contains { $0 > 0 } }
      try #require(isUnderWay, "\(before.output)")
      let process = try #require(system.processIdentifier(of: "customer"))
      #expect(kill(process, SIGKILL) == 0)
      _ = try await before.result()
      let reached = try #require(done(before.output).max())
      if reached < Self.people { return (job, reached) }
      _ = try await system.answer(["jobs", "show", "customer", job])
    }
    throw TooFast()
  }

  /// Each job was over before the kill: this machine needs more people.
  private struct TooFast: Error {}

  private func watch(_ job: String, _ system: RunningSystem) throws -> Program.Running {
    let call = ["call", "mainstay.platform.v1.JobService/WatchJob", "{\"jobId\": \"\(job)\"}"]
    return try Program.Running(
      "mainstay", call + ["--service", "customer"], environment: ["MAINSTAY_HOME": system.home.path])
  }

  /// The counts of the messages that were printed so far, one a line.
  private func done(_ output: String) -> [Int] {
    output.matches(of: /"done":\s*"(\d+)"/).compactMap { Int($0.1) }
  }
}
