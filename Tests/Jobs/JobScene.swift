import Core
import Jobs
import MainstayTesting
import Storage
import StorageSQLite
import Synchronization

/// A database with jobs and a table `line(number)` for what they write.
struct JobScene {
  static let hour: @Sendable (Duration) async throws -> Void = { _ in try await Task.sleep(for: .seconds(3_600)) }

  let folder: TemporaryFolder
  let clock = TestClock()
  let database: SQLiteDatabase

  init() async throws {
    folder = try TemporaryFolder()
    database = try SQLiteDatabase(path: folder.file("jobs.db"), clock: SystemClock())
    let lines = Migration(
      version: 1, name: "lines", statements: ["CREATE TABLE line (number INTEGER PRIMARY KEY NOT NULL) STRICT"])
    try await database.migrate(Jobs.migrations + [lines])
  }

  /// The jobs as a replica of this name sees them.
  func replica(_ name: String) -> Jobs {
    Jobs(database: database, clock: clock, random: SystemRandom(), holder: name)
  }

  /// A runner that neither renews leases nor asks for cancellations by itself.
  func runner(_ jobs: Jobs) -> JobRunner { JobRunner(jobs, [], sleep: JobScene.hour) }

  @discardableResult
  func start(_ kind: String, _ jobs: Jobs) async throws -> JobID {
    let (record, statement) = jobs.creation(kind, actor: "tester")
    try await database.commit(Batch([statement]), lane: .interactive)
    return record.id
  }

  func lines() async throws -> [Int64] {
    try await database.query(Statement("SELECT number FROM line ORDER BY number"), access: .scan).map {
      try $0.integer(0)
    }
  }

  /// Writes the lines 1 to `count`, one at a time, from the checkpoint on; `before` is told of each beforehand.
  static func writing(
    _ count: Int64, before: @escaping @Sendable (Int64) async throws -> Void = { _ in }
  ) -> JobDefinition.Body {
    { run in
      while run.progress.done < count {
        let number = run.progress.done + 1
        try await before(number)
        try await run.save(
          Batch([Statement("INSERT INTO line (number) VALUES (?)", [.integer(number)])]),
          checkpoint: [UInt8(number)], progress: JobProgress(done: number, total: count, unit: "lines"))
      }
      return EncodedMessage(type: "test.Lines", value: [UInt8(count)])
    }
  }
}

/// Opens once, for any number who wait.
final class Gate: Sendable {
  private let signal = AsyncSignal()
  func open() { signal.raise() }
  func wait() async throws { try await signal.wait(after: 0) }
}

struct Trouble: Error, CustomStringConvertible {
  let description = "the disk of the moon is full"
}
