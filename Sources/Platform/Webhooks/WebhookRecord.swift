import Core
import Storage

/// A webhook as it is stored.
struct WebhookRecord: Sendable, Equatable {
  enum State: Int64, Sendable {
    case active = 1
    case paused = 2
  }

  let id: String
  let url: String
  let types: Set<String>
  var state: State
  var position: Int64
  var generation: Int64
  var oldSecretEnd: Timestamp
  var failures: Int64
  var lastError: String
  var nextTime: Timestamp
  let createTime: Timestamp

  static let select = """
    SELECT webhook_id, url, types, state, position, generation, old_secret_end_time, failures, last_error, next_time,
      create_time FROM webhook
    """

  init(row: Row) throws {
    id = try row.text(0)
    url = try row.text(1)
    types = Set(try row.text(2).split(separator: " ").map(String.init))
    state = State(rawValue: try row.integer(3)) ?? .paused
    position = try row.integer(4)
    generation = try row.integer(5)
    oldSecretEnd = try row.time(6)
    failures = try row.integer(7)
    lastError = try row.text(8)
    nextTime = try row.time(9)
    createTime = try row.time(10)
  }

  init(id: String, url: String, types: [String], position: Int64, time: Timestamp) {
    (self.id, self.url, self.types, self.position, createTime) = (id, url, Set(types), position, time)
    (state, generation, failures, lastError) = (.active, 1, 0, "")
    (oldSecretEnd, nextTime) = (Timestamp(microsecondsSinceEpoch: 0), Timestamp(microsecondsSinceEpoch: 0))
  }

  var insertion: Statement {
    Statement(
      """
      INSERT INTO webhook (webhook_id, url, types, state, position, generation, old_secret_end_time, failures, last_error,
        next_time, create_time) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      """,
      [
        .text(id), .text(url), .text(types.sorted().joined(separator: " ")), .integer(state.rawValue),
        .integer(position), .integer(generation), .time(oldSecretEnd), .integer(failures), .text(lastError),
        .time(nextTime), .time(createTime),
      ])
  }

  /// Whether an event is for it.
  func wants(_ event: OutboxEvent) -> Bool { types.isEmpty || types.contains(event.type) }

  /// The secrets that sign its posts at a time, the new one first.
  func secrets(_ key: WebhookKey, at time: Timestamp) -> [[UInt8]] {
    let new = key.secret(of: id, generation: generation)
    return generation > 1 && time < oldSecretEnd ? [new, key.secret(of: id, generation: generation - 1)] : [new]
  }

  /// Writes what a delivery changes, unless it was paused, deleted or moved meanwhile.
  func delivered(from old: WebhookRecord) -> Statement {
    Statement(
      """
      UPDATE webhook SET position = ?, failures = ?, last_error = ?, next_time = ?
      WHERE webhook_id = ? AND state = ? AND position = ?
      """,
      [
        .integer(position), .integer(failures), .text(lastError), .time(nextTime), .text(id),
        .integer(State.active.rawValue), .integer(old.position),
      ], expect: .changes(1, orFail: WebhookRecord.changed))
  }

  static let changed = BatchConflict(.preconditionFailed, subject: "a webhook that was changed meanwhile")
}

/// An event that an endpoint did not take.
struct DeadLetterRecord: Sendable {
  let webhook: String
  let position: Int64
  let eventID: String
  /// A mainstay.platform.v1.Event.
  let event: [UInt8]
  var attempts: Int64
  var error: String
  var time: Timestamp
  var isReplaying: Bool

  static let select = """
    SELECT webhook_id, position, event_id, event, attempts, error, time, replaying FROM webhook_dead_letter
    """

  init(row: Row) throws {
    webhook = try row.text(0)
    position = try row.integer(1)
    eventID = try row.text(2)
    event = try row.blob(3)
    attempts = try row.integer(4)
    error = try row.text(5)
    time = try row.time(6)
    isReplaying = try row.integer(7) != 0
  }

  /// The row for an event that is given up.
  static func insertion(
    _ webhook: WebhookRecord, position: Int64, eventID: String, event: [UInt8], at time: Timestamp
  ) -> Statement {
    // A webhook that had to read the snapshot may come by an event a second time.
    Statement(
      """
      INSERT INTO webhook_dead_letter (webhook_id, position, event_id, event, attempts, error, time, replaying)
      VALUES (?, ?, ?, ?, ?, ?, ?, 0) ON CONFLICT DO NOTHING
      """,
      [
        .text(webhook.id), .integer(position), .text(eventID), .blob(event), .integer(webhook.failures),
        .text(webhook.lastError), .time(time),
      ])
  }

  /// Takes it away: the endpoint has it.
  var removal: Statement {
    Statement(
      "DELETE FROM webhook_dead_letter WHERE webhook_id = ? AND position = ?", [.text(webhook), .integer(position)])
  }

  /// It was sent again, in vain.
  func failedAgain(_ error: String, at time: Timestamp) -> Statement {
    Statement(
      """
      UPDATE webhook_dead_letter SET attempts = attempts + 1, error = ?, time = ?, replaying = 0
      WHERE webhook_id = ? AND position = ?
      """, [.text(error), .time(time), .text(webhook), .integer(position)])
  }
}
