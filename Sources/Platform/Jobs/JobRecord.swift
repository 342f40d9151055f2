import Core
import Storage

/// A job as it is stored.
public struct JobRecord: Hashable, Sendable {
  /// How it stands; the numbers are those of the proto.
  public enum State: Int64, Sendable {
    /// It has not begun, or is to go on at `dueTime`.
    case waiting = 1
    /// Somebody works on it, or has died with it.
    case running = 2
    /// Its end.
    case succeeded = 3
    /// Its end: tried as often as allowed.
    case failed = 4
    /// Its end: somebody did not want it any more.
    case cancelled = 5
  }

  /// Most characters of an error that are kept.
  static let maximumErrorLength = 1_000

  /// Its id.
  public let id: JobID
  /// The name of its definition.
  public let kind: String
  /// What it was asked.
  public let parameters: EncodedMessage?
  /// Who asked.
  public let actor: String
  /// When that was.
  public let createTime: Timestamp
  /// How it stands.
  public var state: State
  /// How far it has come.
  public var progress: JobProgress
  /// What its body needs to go on from there.
  public var checkpoint: [UInt8]
  /// What came of it.
  public var result: EncodedMessage?
  /// What its last attempt failed with; empty if it did not.
  public var error: String
  /// Attempts since it last got further.
  public var attempts: Int64
  /// How often it was begun or taken up again.
  public var starts: Int64
  /// Whether its end was asked for.
  public var cancelRequested: Bool
  /// When it may be begun or tried again.
  public var dueTime: Timestamp
  /// When it was begun first.
  public var startTime: Timestamp?
  /// When something of this changed last.
  public var updateTime: Timestamp
  /// When it ended.
  public var endTime: Timestamp?

  init(id: JobID, kind: String, parameters: EncodedMessage?, actor: String, time: Timestamp) {
    (self.id, self.kind, self.parameters, self.actor) = (id, kind, parameters, actor)
    (createTime, dueTime, updateTime) = (time, time, time)
    (state, progress, checkpoint, error) = (.waiting, JobProgress(), [], "")
    (attempts, starts, cancelRequested) = (0, 0, false)
  }

  static let select = """
    SELECT job_id, kind, parameters_type, parameters, actor, create_time, state, done, total, unit, text, checkpoint,
      result_type, result, error, attempts, starts, cancel_requested, due_time, start_time, update_time, end_time FROM job
    """

  init(row: Row) throws {
    id = try row.id(0)
    kind = try row.text(1)
    parameters = try JobRecord.message(row, 2)
    actor = try row.text(4)
    createTime = try row.time(5)
    guard let state = State(rawValue: try row.integer(6)) else {
      throw StorageError.unexpectedValue(column: 6, expected: "a job's state", found: "another number")
    }
    self.state = state
    progress = JobProgress(
      done: try row.integer(7), total: try row.integer(8), unit: try row.text(9), text: try row.text(10))
    checkpoint = try row.blob(11)
    result = try JobRecord.message(row, 12)
    error = try row.text(14)
    attempts = try row.integer(15)
    starts = try row.integer(16)
    cancelRequested = try row.integer(17) != 0
    dueTime = try row.time(18)
    startTime = try row.optionalInteger(19).map { Timestamp(microsecondsSinceEpoch: $0) }
    updateTime = try row.time(20)
    endTime = try row.optionalInteger(21).map { Timestamp(microsecondsSinceEpoch: $0) }
  }

  private static func message(_ row: Row, _ column: Int) throws -> EncodedMessage? {
    let type = try row.text(column)
    return type.isEmpty ? nil : EncodedMessage(type: type, value: try row.blob(column + 1))
  }

  var insertion: Statement {
    Statement(
      """
      INSERT INTO job (job_id, kind, parameters_type, parameters, actor, create_time, state, done, total, unit, text,
        checkpoint, result_type, result, error, attempts, starts, cancel_requested, due_time, start_time, update_time,
        end_time) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      """,
      [
        .id(id), .text(kind), .text(parameters?.type ?? ""), .blob(parameters?.value ?? []), .text(actor),
        .time(createTime), .integer(state.rawValue), .integer(progress.done), .integer(progress.total),
        .text(progress.unit), .text(progress.text), .blob(checkpoint), .text(result?.type ?? ""),
        .blob(result?.value ?? []), .text(error), .integer(attempts), .integer(starts),
        .integer(cancelRequested ? 1 : 0), .time(dueTime), .optional(startTime?.microsecondsSinceEpoch),
        .time(updateTime), .optional(endTime?.microsecondsSinceEpoch),
      ])
  }

  /// Writes what a runner changes, of the job in the state in which it was read.
  func update(from old: JobRecord) -> Statement {
    Statement(
      """
      UPDATE job SET state = ?, result_type = ?, result = ?, error = ?, attempts = ?, starts = ?, due_time = ?,
        start_time = ?, update_time = ?, end_time = ? WHERE job_id = ? AND state = ?
      """,
      [
        .integer(state.rawValue), .text(result?.type ?? ""), .blob(result?.value ?? []), .text(error),
        .integer(attempts), .integer(starts), .time(dueTime), .optional(startTime?.microsecondsSinceEpoch),
        .time(updateTime), .optional(endTime?.microsecondsSinceEpoch), .id(id), .integer(old.state.rawValue),
      ], expect: .changes(1, orFail: BatchConflict(.preconditionFailed, subject: "the state of \(id)")))
  }

  /// Ends it while it waits.
  func cancellation(at time: Timestamp) -> Statement {
    var cancelled = self
    (cancelled.state, cancelled.updateTime, cancelled.endTime) = (.cancelled, time, time)
    return cancelled.update(from: self)
  }

  /// Asks for its end while it runs.
  func cancelRequest(at time: Timestamp) -> Statement {
    Statement(
      "UPDATE job SET cancel_requested = 1, update_time = ? WHERE job_id = ? AND state = ?",
      [.time(time), .id(id), .integer(State.running.rawValue)],
      expect: .changes(1, orFail: BatchConflict(.preconditionFailed, subject: "the state of \(id)")))
  }
}
