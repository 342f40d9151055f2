import Core
import Storage

/// The right to work on a kind: one row in job_kind, whose fencing token is a precondition of each of the holder's writes.
struct JobLease: Sendable {
  /// How long it holds without renewal.
  static let microseconds: Int64 = 15_000_000
  /// A lease that would hold longer than this was taken by a clock that has been put back since: anybody may take it.
  static let longestMicroseconds: Int64 = 60_000_000
  static let lost = BatchConflict(.preconditionFailed, subject: "the lease of a kind of job")

  let kind: String
  let holder: String
  let token: Int64
  let expires: Timestamp
  let nextTime: Timestamp

  /// As the row has it; made if there is none.
  static func read(_ kind: String, _ database: any Database) async throws -> JobLease {
    let select = Statement(
      "SELECT holder, fencing_token, expires_time, next_time FROM job_kind WHERE kind = ?", [.text(kind)])
    if let row = try await database.row(select) { return try JobLease(kind, row) }
    try await database.commit(
      Batch([
        Statement(
          """
          INSERT INTO job_kind (kind, holder, fencing_token, expires_time, next_time) VALUES (?, '', 0, 0, 0)
          ON CONFLICT DO NOTHING
          """, [.text(kind)])
      ]), lane: .bulk)
    guard let row = try await database.row(select) else { throw StorageError.conflict(lost) }
    return try JobLease(kind, row)
  }

  private init(_ kind: String, _ row: Row) throws {
    self.kind = kind
    holder = try row.text(0)
    token = try row.integer(1)
    expires = try row.time(2)
    nextTime = try row.time(3)
  }

  init(kind: String, holder: String, token: Int64, expires: Timestamp, nextTime: Timestamp) {
    (self.kind, self.holder, self.token) = (kind, holder, token)
    (self.expires, self.nextTime) = (expires, nextTime)
  }

  /// Whether somebody else has it now.
  func isHeld(exceptBy other: String, at now: Timestamp) -> Bool {
    let left = expires.microsecondsSinceEpoch - now.microsecondsSinceEpoch
    return holder != other && left > 0 && left <= Self.longestMicroseconds
  }

  /// The lease that this becomes in another's hands.
  func taken(by holder: String, at now: Timestamp, nextTime: Timestamp) -> JobLease {
    JobLease(kind: kind, holder: holder, token: token + 1, expires: Self.end(from: now), nextTime: nextTime)
  }

  /// Writes the taken lease over the one that was read.
  func taking(from old: JobLease) -> Statement {
    Statement(
      """
      UPDATE job_kind SET holder = ?, fencing_token = ?, expires_time = ?, next_time = ?
      WHERE kind = ? AND fencing_token = ?
      """,
      [
        .text(holder), .integer(token), .time(expires), .time(nextTime), .text(kind), .integer(old.token),
      ], expect: .changes(1, orFail: Self.lost))
  }

  /// What each write of the holder begins with: renews the lease, or fails if another has taken it since.
  func fence(at now: Timestamp) -> Statement { fence(until: Self.end(from: now)) }

  /// The holder's last write: anybody may take it from here on.
  var release: Statement { fence(until: Timestamp(microsecondsSinceEpoch: 0)) }

  private func fence(until end: Timestamp) -> Statement {
    Statement(
      "UPDATE job_kind SET expires_time = ? WHERE kind = ? AND holder = ? AND fencing_token = ?",
      [.time(end), .text(kind), .text(holder), .integer(token)], expect: .changes(1, orFail: Self.lost))
  }

  private static func end(from now: Timestamp) -> Timestamp {
    Timestamp(microsecondsSinceEpoch: now.microsecondsSinceEpoch + microseconds)
  }
}
