import Core
import Storage
import Synchronization

/// A job's end was asked for; thrown to its body, which lets it pass.
struct JobCancelled: Error {}

/// What a job's body is given: what it was asked, where to go on, and how to keep how far it has come. One body uses it, on one
/// task at a time.
public final class JobRun: Sendable {
  /// Pause between two looks whether the job's end was asked for.
  static let look = Duration.seconds(1)
  /// Looks between two renewals of the lease.
  static let looksPerRenewal = 5

  private static let cancelled = BatchConflict(.preconditionFailed, subject: "a job whose end was asked for")

  /// The job's id.
  public let id: JobID
  /// What it was asked.
  public let parameters: EncodedMessage?
  private let jobs: Jobs
  private let lease: JobLease
  private let state: Mutex<(checkpoint: [UInt8], progress: JobProgress)>

  /// How the body waits: on the event loop; ends early when cancelled.
  public let sleep: @Sendable (Duration) async throws -> Void

  init(
    _ record: JobRecord, lease: JobLease, jobs: Jobs, sleep: @escaping @Sendable (Duration) async throws -> Void
  ) {
    (id, parameters, self.lease, self.jobs) = (record.id, record.parameters, lease, jobs)
    self.sleep = sleep
    state = Mutex((record.checkpoint, record.progress))
  }

  /// As it was saved last; empty when the work begins.
  public var checkpoint: [UInt8] { state.withLock { $0.checkpoint } }

  /// As it was saved last.
  public var progress: JobProgress { state.withLock { $0.progress } }

  /// Writes a part of the work together with how far it has come, and gives the rows that each of the batch's statements changed.
  ///
  /// Nothing of it is written, and an error is thrown that the body lets pass, if another has taken over the job or its end was
  /// asked for. A `BatchConflict` of the batch's own statements comes as `StorageError.conflict`.
  @discardableResult
  public func save(_ batch: Batch = Batch(), checkpoint: [UInt8], progress: JobProgress) async throws -> [Int] {
    let now = jobs.clock.now()
    var guarded = batch
    guarded.statements =
      [
        lease.fence(at: now),
        // It has got further: attempts are counted anew.
        Statement(
          """
          UPDATE job SET checkpoint = ?, done = ?, total = ?, unit = ?, text = ?, attempts = 1, error = '',
            update_time = ? WHERE job_id = ? AND cancel_requested = 0
          """,
          [
            .blob(checkpoint), .integer(progress.done), .integer(progress.total), .text(progress.unit),
            .text(progress.text), .time(now), .id(id),
          ], expect: .changes(1, orFail: Self.cancelled)),
      ] + batch.statements
    do {
      let receipt = try await jobs.database.commit(guarded, lane: .bulk)
      state.withLock { $0 = (checkpoint, progress) }
      jobs.changes.raise()
      return Array(receipt.changes.dropFirst(2))
    } catch StorageError.conflict(Self.cancelled) {
      throw JobCancelled()
    }
  }

  /// Throws if the job's end was asked for. `save` asks by itself.
  public func checkCancellation() async throws {
    try Task.checkCancellation()
    let row = try await jobs.database.row(Statement("SELECT cancel_requested FROM job WHERE job_id = ?", [.id(id)]))
    if try row?.integer(0) != 0 { throw JobCancelled() }
  }

  /// Runs beside the body: keeps the lease, and throws when it is lost or the job's end was asked for.
  func watch(sleep: @Sendable (Duration) async throws -> Void) async throws -> Never {
    var looks = 0
    while true {
      try await sleep(Self.look)
      looks += 1
      if looks % Self.looksPerRenewal == 0 {
        try await jobs.database.commit(Batch([lease.fence(at: jobs.clock.now())]), lane: .interactive)
      }
      try await checkCancellation()
    }
  }
}
