// Start here: `JobDefinition` is a kind of long work and what does it, `JobRun` what its body is given, `JobRunner` the loop that
// runs it, `Jobs` what the rest of a service sees: jobs are rows, so a crash ends none.
import Core
import Storage

/// Id of a job, job_….
public typealias JobID = Identifier<JobIDKind>
/// A job.
public enum JobIDKind: IdentifierKind {
  /// "job"
  public static var prefix: String { "job" }
}

/// A service's jobs: puts them in line, finds them, ends them.
public final class Jobs: Sendable {
  /// Most jobs of a kind that wait; a further one is refused.
  public static let maximumWaiting: Int64 = 100
  /// Most callers that watch jobs at a time; the next gets `StorageError.overloaded`.
  public static let maximumWatchers = 1_024
  /// How long a finished job is kept, in microseconds.
  public static let keptMicroseconds: Int64 = 30 * 24 * 3_600 * 1_000_000
  /// Most finished jobs that one statement of `expiration` deletes.
  public static let maximumExpiredRows = 1_000

  let database: any Database
  let clock: any Clock
  let random: any RandomSource
  /// The replica's stable name: after a restart it takes its own leases back at once.
  let holder: String
  /// Raised when a job may have become due.
  let due = AsyncSignal()
  /// Raised when a job may have changed: here at once, in another replica within `JobRunner.tick`.
  public let changes = AsyncSignal(maximumWaiters: Jobs.maximumWatchers)

  /// The jobs in a database that has `migrations`.
  public init(database: any Database, clock: any Clock, random: any RandomSource, holder: String) {
    self.database = database
    self.clock = clock
    self.random = random
    self.holder = holder
  }

  /// A job that is to be put in line, and the statement that does it: for a batch of the caller's, so that the work is asked for
  /// exactly if the batch is committed. Call `announce` afterwards.
  public func creation(
    _ kind: String, parameters: EncodedMessage? = nil, actor: String
  ) -> (record: JobRecord, statement: Statement) {
    let record = JobRecord(
      id: JobID(clock: clock, random: random), kind: kind, parameters: parameters, actor: actor, time: clock.now())
    return (record, record.insertion)
  }

  /// Wakes those who run and watch jobs.
  public func announce() {
    due.raise()
    changes.raise()
  }

  /// One job; nil if there is none.
  public func job(_ id: JobID) async throws -> JobRecord? {
    try await database.row(Statement("\(JobRecord.select) WHERE job_id = ?", [.id(id)])).map { try JobRecord(row: $0) }
  }

  /// At most so many, the newest first, older than the given one ("" begins), of a kind if one is named.
  public func list(kind: String, onlyOpen: Bool, before id: String, limit: Int) async throws -> [JobRecord] {
    var conditions: [String] = []
    var parameters: [SQLValue] = []
    if !kind.isEmpty {
      conditions.append("kind = ?")
      parameters.append(.text(kind))
    }
    if onlyOpen { conditions.append("state <= 2") }
    if !id.isEmpty {
      conditions.append("job_id < ?")
      parameters.append(.text(id))
    }
    let condition = conditions.isEmpty ? "" : " WHERE " + conditions.joined(separator: " AND ")
    return try await database.query(
      Statement(
        "\(JobRecord.select)\(condition) ORDER BY job_id DESC LIMIT ?", parameters + [.integer(Int64(limit))]),
      access: .scan
    ).map { try JobRecord(row: $0) }
  }

  /// How many of a kind wait.
  public func waiting(_ kind: String) async throws -> Int64 {
    try await database.row(
      Statement("SELECT count(*) FROM job WHERE kind = ? AND state = 1", [.text(kind)]), access: .scan
    )?.integer(0) ?? 0
  }

  /// Asks for a job's end: a waiting one is cancelled at once, a running one writes nothing more from here on. Gives the job as
  /// it is then; nil if there is none. One that has come to its end stays as it is.
  public func cancel(_ id: JobID) async throws -> JobRecord? {
    while let record = try await job(id) {
      let statement: Statement
      switch record.state {
      case .waiting: statement = record.cancellation(at: clock.now())
      case .running where !record.cancelRequested: statement = record.cancelRequest(at: clock.now())
      case .running, .succeeded, .failed, .cancelled: return record
      }
      do {
        try await database.commit(Batch([statement]), lane: .interactive)
        announce()
      } catch StorageError.conflict {
        // It has begun, or ended, since it was read. A job's states go one way between two attempts, so this ends.
        continue
      }
    }
    return nil
  }

  /// Deletes jobs that ended too long ago, at most `maximumExpiredRows` of them.
  public static func expiration(now: Timestamp) -> Statement {
    let limit = Timestamp(microsecondsSinceEpoch: now.microsecondsSinceEpoch - Self.keptMicroseconds)
    return Statement(
      """
      DELETE FROM job WHERE job_id IN (
        SELECT job_id FROM job WHERE end_time IS NOT NULL AND end_time < ? ORDER BY end_time LIMIT ?)
      """, [.time(limit), .integer(Int64(Self.maximumExpiredRows))])
  }
}
