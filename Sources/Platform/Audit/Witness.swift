import AuditProof
import Core
import RPCCore
import Storage

/// A service as witness of other services' logs: what it keeps of them lies in its own database, out of reach of who could change
/// theirs.
public struct Witness: Sendable {
  /// Most refused checkpoints of one log that are kept.
  public static let maximumRefused: Int64 = 100
  /// Two checkpoints of one log came at once; the sender tries again.
  private static let outrun = BatchConflict(.versionMismatch, subject: "the witnessed log")

  /// What became of a checkpoint.
  public enum Outcome: Hashable, Sendable {
    /// It is kept, or was before.
    case recorded(size: Int64)
    /// It must be shown to be consistent with the checkpoint of this size, which was seen last.
    case unproven(size: Int64)
  }

  private let database: any Database
  private let clock: any Clock
  private let keys: @Sendable () throws -> [LogKey]
  private let onRefusal: @Sendable (String, String) -> Void

  /// A witness with a database of its own. `keys` are those of the logs that it takes checkpoints of. `onRefusal` is told the origin
  /// of a log that contradicts itself, and how.
  public init(
    database: any Database, clock: any Clock, keys: @escaping @Sendable () throws -> [LogKey],
    onRefusal: @escaping @Sendable (String, String) -> Void = { _, _ in }
  ) {
    (self.database, self.clock, self.keys, self.onRefusal) = (database, clock, keys, onRefusal)
  }

  /// Keeps a checkpoint. INVALID_ARGUMENT for a note that no known log has signed; FAILED_PRECONDITION, with the evidence kept, for one
  /// that contradicts what the log has signed before.
  public func record(note: String, provenSize: Int64, proof: [MerkleHash]) async throws -> Outcome {
    let checkpoint: Checkpoint
    do { checkpoint = try Checkpoint(note: note, keys: try keys()) } catch let refused as Checkpoint.Refused {
      throw RPCError.badRequest([FieldViolation("note", refused.description)])
    }
    guard let last = try await last(of: checkpoint.origin) else {
      try await keep(checkpoint, note, after: nil)
      return .recorded(size: checkpoint.size)
    }
    if checkpoint.size == last.checkpoint.size {
      if checkpoint.root == last.checkpoint.root { return .recorded(size: checkpoint.size) }
      throw try await refusal(checkpoint, note, "it has another root than the checkpoint of the same size before")
    }
    if checkpoint.size < last.checkpoint.size {
      // One that was on its way for long says nothing; a later one says that entries have gone.
      if checkpoint.time <= last.checkpoint.time { return .recorded(size: last.checkpoint.size) }
      throw try await refusal(
        checkpoint, note, "it has \(checkpoint.size) entries where there were \(last.checkpoint.size)")
    }
    guard provenSize == last.checkpoint.size else { return .unproven(size: last.checkpoint.size) }
    let isConsistent = ProofCheck.consistency(
      firstSize: last.checkpoint.size, firstRoot: last.checkpoint.root, secondSize: checkpoint.size,
      secondRoot: checkpoint.root, proof: proof)
    guard isConsistent else {
      throw try await refusal(
        checkpoint, note, "it is not shown to begin with the \(last.checkpoint.size) entries that were there before")
    }
    try await keep(checkpoint, note, after: last)
    return .recorded(size: checkpoint.size)
  }

  /// How many refused checkpoints of each log are kept as evidence.
  public func refused() async throws -> [(origin: String, count: Int64)] {
    try await query(Statement("SELECT origin, count(*) FROM audit_refused GROUP BY origin ORDER BY origin LIMIT 100"))
      .map {
        (try $0.text(0), try $0.integer(1))
      }
  }

  func query(_ statement: Statement) async throws -> [Row] { try await database.query(statement, access: .scan) }

  private struct Seen {
    let checkpoint: Checkpoint
    let hour: Int64
    let size: Int64
  }

  private func last(of origin: String) async throws -> Seen? {
    let row = try await database.row(
      Statement(
        "SELECT note, hour, size FROM audit_witnessed WHERE origin = ? ORDER BY hour DESC LIMIT 1", [.text(origin)]))
    guard let row else { return nil }
    return Seen(
      checkpoint: try Checkpoint(unverified: try row.text(0)), hour: try row.integer(1), size: try row.integer(2))
  }

  private func keep(_ checkpoint: Checkpoint, _ note: String, after last: Seen?) async throws {
    let now = clock.now()
    // Never an earlier hour than the last one's, wherever the clock goes: that row is what the next one is judged by.
    let hour = max(now.seconds / 3_600, last?.hour ?? .min)
    var statements: [Statement] = []
    if let last {
      // Of two that were judged by the same last one, one is kept: the other's judgement is out of date.
      statements.append(
        Statement(
          "UPDATE audit_witnessed SET origin = origin WHERE origin = ? AND hour = ? AND size = ?",
          [.text(checkpoint.origin), .integer(last.hour), .integer(last.size)],
          expect: .changes(1, orFail: Witness.outrun)))
    }
    let replacement =
      last?.hour == hour
      ? """
       ON CONFLICT (origin, hour) DO UPDATE
      SET size = excluded.size, note = excluded.note, received_time = excluded.received_time
      """ : ""
    statements.append(
      Statement(
        "INSERT INTO audit_witnessed (origin, hour, size, note, received_time) VALUES (?, ?, ?, ?, ?)" + replacement,
        [.text(checkpoint.origin), .integer(hour), .integer(checkpoint.size), .text(note), .time(now)],
        expect: .unique(orFail: Witness.outrun)))
    try await database.commit(Batch(statements), lane: .interactive)
  }

  /// Keeps the evidence, and gives the error for the sender.
  private func refusal(_ checkpoint: Checkpoint, _ note: String, _ reason: String) async throws -> RPCError {
    let now = clock.now()
    try await database.commit(
      Batch([
        Statement(
          """
          INSERT INTO audit_refused (origin, received_time, reason, note) VALUES (?, ?, ?, ?)
          ON CONFLICT DO NOTHING
          """, [.text(checkpoint.origin), .time(now), .text(reason), .text(note)]),
        Statement(
          """
          DELETE FROM audit_refused WHERE origin = ? AND received_time < (
            SELECT min(received_time) FROM (
              SELECT received_time FROM audit_refused WHERE origin = ? ORDER BY received_time DESC LIMIT ?) AS kept)
          """, [.text(checkpoint.origin), .text(checkpoint.origin), .integer(Witness.maximumRefused)]),
      ]), lane: .interactive)
    onRefusal(checkpoint.origin, reason)
    return RPCError(
      .failedPrecondition, "the checkpoint contradicts what \(checkpoint.origin) has signed before: \(reason)")
  }
}
