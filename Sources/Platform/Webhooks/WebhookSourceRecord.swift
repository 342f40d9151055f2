import API
import Core
import Storage
import UseCases

/// A source of posts.
enum WebhookSourceIDKind: IdentifierKind {
  /// "whs"
  static var prefix: String { "whs" }
}

/// Id of a source of posts, whs_….
typealias WebhookSourceID = Core.Identifier<WebhookSourceIDKind>

/// A source of posts as it is stored.
struct WebhookSourceRecord: Sendable, Equatable {
  let id: String
  let name: String
  let kind: String
  let generation: Int64
  let oldSecretEnd: Timestamp
  let createTime: Timestamp

  static let select = "SELECT source_id, name, kind, generation, old_secret_end_time, create_time FROM webhook_source"

  init(row: Row) throws {
    (id, name, kind) = (try row.text(0), try row.text(1), try row.text(2))
    (generation, oldSecretEnd, createTime) = (try row.integer(3), try row.time(4), try row.time(5))
  }

  init(id: String, name: String, kind: String, time: Timestamp) {
    (self.id, self.name, self.kind, createTime) = (id, name, kind, time)
    (generation, oldSecretEnd) = (1, Timestamp(microsecondsSinceEpoch: 0))
  }

  static func find(_ id: String, in database: any Database) async throws -> WebhookSourceRecord? {
    try await database.row(Statement("\(select) WHERE source_id = ?", [.text(id)])).map { try .init(row: $0) }
  }

  var insertion: Statement {
    Statement(
      """
      INSERT INTO webhook_source (source_id, name, kind, generation, old_secret_end_time, create_time)
      VALUES (?, ?, ?, ?, ?, ?)
      """,
      [.text(id), .text(name), .text(kind), .integer(generation), .time(oldSecretEnd), .time(createTime)],
      expect: .unique(orFail: WebhookSourceRecord.nameIsTaken))
  }

  static let nameIsTaken = BatchConflict(.alreadyExists, subject: "a source of posts with this name")

  /// The secrets that posts may be signed with at a time.
  func secrets(_ key: WebhookKey, at time: Timestamp) -> [[UInt8]] {
    let new = key.secret(ofSource: id, generation: generation)
    return generation > 1 && time < oldSecretEnd ? [new, key.secret(ofSource: id, generation: generation - 1)] : [new]
  }
}

/// A post that could not be applied.
struct UnappliedPostRecord: Sendable {
  let source: String
  let id: String
  let body: [UInt8]
  let error: String
  let attempts: Int64
  let receiveTime: Timestamp

  static let select = "SELECT source_id, webhook_id, body, error, attempts, receive_time FROM webhook_unapplied"

  init(row: Row) throws {
    (source, id, body) = (try row.text(0), try row.text(1), try row.blob(2))
    (error, attempts, receiveTime) = (try row.text(3), try row.integer(4), try row.time(5))
  }

  static func find(_ source: String, _ id: String, in database: any Database) async throws -> UnappliedPostRecord? {
    try await database.row(
      Statement("\(select) WHERE source_id = ? AND webhook_id = ?", [.text(source), .text(id)])
    ).map { try .init(row: $0) }
  }

  static func insertion(
    source: String, id: String, body: [UInt8], error: String, at time: Timestamp
  ) -> Statement {
    // Two of one post at once are refused alike.
    Statement(
      """
      INSERT INTO webhook_unapplied (source_id, webhook_id, body, error, attempts, receive_time)
      VALUES (?, ?, ?, ?, 1, ?) ON CONFLICT DO NOTHING
      """, [.text(source), .text(id), .blob(body), .text(error), .time(time)])
  }

  var removal: Statement {
    Statement("DELETE FROM webhook_unapplied WHERE source_id = ? AND webhook_id = ?", [.text(source), .text(id)])
  }

  func failedAgain(_ error: String) -> Statement {
    Statement(
      "UPDATE webhook_unapplied SET attempts = attempts + 1, error = ? WHERE source_id = ? AND webhook_id = ?",
      [.text(error), .text(source), .text(id)])
  }
}
