import Core

/// The answer to a request, kept so that a repetition gets the same one.
public struct IdempotencyRecord: Hashable, Sendable {
  /// Who asked.
  public var caller: String
  /// Full name of the method.
  public var method: String
  /// The caller's request_id.
  public var requestID: String
  /// Hash of the service's own encoding of the request without its request_id.
  public var requestHash: [UInt8]
  /// The encoded reply.
  public var reply: [UInt8]
  /// When it was answered.
  public var createTime: Timestamp

  /// A record.
  public init(
    caller: String, method: String, requestID: String, requestHash: [UInt8], reply: [UInt8], createTime: Timestamp
  ) {
    self.caller = caller
    self.method = method
    self.requestID = requestID
    self.requestHash = requestHash
    self.reply = reply
    self.createTime = createTime
  }

  var insertion: Statement {
    Statement(
      """
      INSERT INTO idempotency (caller, method, request_id, request_hash, reply, create_time)
      VALUES (?, ?, ?, ?, ?, ?)
      """,
      [
        .text(caller), .text(method), .text(requestID), .blob(requestHash), .blob(reply), .time(createTime),
      ],
      expect: .unique(orFail: BatchConflict(.repeatedRequest, subject: requestID)))
  }
}

/// A request_id came a second time with other content.
public struct IdempotencyConflict: Error, Hashable, Sendable, CustomStringConvertible {
  /// The id that was used twice.
  public let requestID: String

  /// One line for the caller.
  public var description: String {
    "request_id \(requestID) was used for a request with other content; take a fresh id for each request"
  }
}

/// Remembers answers for seven days: the stated limit of "no duplicates".
public struct IdempotencyStore: Sendable {
  /// How long an answer is kept, in microseconds.
  public static let keptMicroseconds: Int64 = 7 * 24 * 3_600 * 1_000_000
  /// Most attempts of a commit whose outcome stays unknown; each waits for the database as long as a restart may take.
  public static let maximumAttempts = 4
  /// Most rows that one statement of `expiration` deletes.
  public static let maximumExpiredRows = 1_000

  /// How a write that may be a repetition ended.
  public enum Outcome: Sendable {
    /// It was the first: the batch's own reply holds.
    case committed(BatchReceipt)
    /// An equal request was committed before, or at the same time: this is its reply.
    case repeated(reply: [UInt8])
  }

  private let database: any Database

  /// The answers kept in a database.
  public init(database: any Database) { self.database = database }

  /// The reply to the same request, if it was answered before. Throws `IdempotencyConflict` when the id was used for
  /// other content.
  public func earlierReply(
    caller: String, method: String, requestID: String, requestHash: [UInt8]
  ) async throws -> [UInt8]? {
    let found = try await database.row(
      Statement(
        "SELECT request_hash, reply FROM idempotency WHERE caller = ? AND method = ? AND request_id = ?",
        [.text(caller), .text(method), .text(requestID)]))
    guard let found else { return nil }
    guard try found.blob(0) == requestHash else { throw IdempotencyConflict(requestID: requestID) }
    return try found.blob(1)
  }

  /// Commits a batch that may be a repetition. Without an idempotency record it is an ordinary commit.
  ///
  /// With one, a commit whose outcome is unknown is settled here: the same batch is committed again. If the first attempt went
  /// through, or still does, the idempotency row is there and its reply is the answer; if not, this attempt is the first. Only
  /// asking for the row would not do: the database may still be at work on what the lost connection brought it.
  public func commit(_ batch: Batch, lane: WriteLane) async throws -> Outcome {
    var attempts = 1
    while true {
      do { return try await commitOnce(batch, lane: lane) } catch let error as StorageError {
        guard case .unknownOutcome = error, batch.idempotency != nil, attempts < Self.maximumAttempts else {
          throw error
        }
        attempts += 1
      }
    }
  }

  private func commitOnce(_ batch: Batch, lane: WriteLane) async throws -> Outcome {
    do {
      return .committed(try await database.commit(batch, lane: lane))
    } catch StorageError.conflict(let conflict) where conflict.kind == .repeatedRequest {
      guard let record = batch.idempotency,
        let reply = try await earlierReply(
          caller: record.caller, method: record.method, requestID: record.requestID, requestHash: record.requestHash)
      else { throw StorageError.conflict(conflict) }
      return .repeated(reply: reply)
    }
  }

  /// Deletes answers that are too old, at most `maximumExpiredRows` of them.
  public static func expiration(now: Timestamp) -> Statement {
    let limit = Timestamp(microsecondsSinceEpoch: now.microsecondsSinceEpoch - keptMicroseconds)
    return Statement(
      """
      DELETE FROM idempotency WHERE (caller, method, request_id) IN (
        SELECT caller, method, request_id FROM idempotency WHERE create_time < ? ORDER BY create_time LIMIT ?)
      """, [.time(limit), .integer(Int64(maximumExpiredRows))])
  }
}
