import Core

/// An event that has its place in the log.
public struct NumberedEvent: Hashable, Sendable {
  /// 1, 2, 3 … without a gap within its partition.
  public let position: Int64
  /// What happened.
  public let event: OutboxEvent
}

/// Some events in order, and where to go on.
public struct EventPage: Sendable {
  /// At most as many as were asked for; those committed last may not have a position yet.
  public let events: [NumberedEvent]
  /// The place behind them.
  public let next: ResumePosition
  /// Whether they lie where events were removed: they are part of the snapshot.
  public let isSnapshot: Bool
  /// True when there was nothing more.
  public let isCaughtUp: Bool
  /// How often the log had grown before it was read.
  fileprivate let growth: UInt64
}

/// A service's events in their order, for subscribers. The sequencer numbers them and calls `announce`.
public final class EventLog: Sendable {
  /// Most events that one read gives.
  public static let maximumEvents = 256

  /// The database's epoch.
  public let epoch: String
  /// Which of its partitions this is.
  public let partition: Int64
  private let database: any Database
  private let growth = AsyncSignal()

  private init(epoch: String, partition: Int64, database: any Database) {
    self.epoch = epoch
    self.partition = partition
    self.database = database
  }

  /// For the extensions in this module.
  var store: any Database { database }

  /// Opens a partition of a migrated database; the first time this draws its epoch.
  public static func open(
    _ database: any Database, partition: Int64 = 0, random: some RandomSource
  ) async throws -> EventLog {
    let drawn = drawEpoch(random)
    try await database.commit(
      Batch([
        Statement("INSERT INTO log_epoch (\"only\", epoch) VALUES (1, ?) ON CONFLICT DO NOTHING", [.text(drawn)]),
        Statement(
          """
          INSERT INTO event_partition (partition, last_position, holder, fencing_token, expires_time)
          VALUES (?, 0, '', 0, 0) ON CONFLICT DO NOTHING
          """, [.integer(partition)]),
      ]), lane: .interactive)
    let epoch = try await database.row(Statement("SELECT epoch FROM log_epoch"))
    return EventLog(epoch: try epoch?.text(0) ?? drawn, partition: partition, database: database)
  }

  /// Gives the database a fresh epoch: it was put back to an older state, and who follows its events must begin anew.
  public static func renewal(random: some RandomSource) -> Statement {
    Statement(
      """
      INSERT INTO log_epoch ("only", epoch) VALUES (1, ?) ON CONFLICT ("only") DO UPDATE SET epoch = excluded.epoch
      """,
      [.text(drawEpoch(random))])
  }

  private static func drawEpoch(_ random: some RandomSource) -> String {
    String(random.next(), radix: 16) + "-" + String(random.next(), radix: 16)
  }

  /// The place before the first event.
  public var beginning: ResumePosition { ResumePosition(epoch: epoch) }

  /// The place that a token names; an empty token is the beginning. Throws `ResumePosition.Refused`.
  public func position(token: String) async throws -> ResumePosition {
    guard !token.isEmpty else { return beginning }
    let position = try ResumePosition(token: token)
    guard position.epoch == epoch else { throw ResumePosition.Refused.otherEpoch }
    // Ahead of the log: the file was put back to an older state without a fresh epoch.
    guard position.position(in: partition) <= (try await lastPosition()) else {
      throw ResumePosition.Refused.otherEpoch
    }
    return try check(position, removedUpTo: try await snapshot().removedUpTo)
  }

  /// The events behind a place, at most `limit` (held within 1 to `maximumEvents`), with at most so many bytes of facts, but at
  /// least one event if there is any. Throws `ResumePosition.Refused.removed` when events behind the place are gone.
  public func read(
    after place: ResumePosition, limit: Int = EventLog.maximumEvents, maximumBytes: Int = .max
  ) async throws -> EventPage {
    // Noted before reading: what is numbered from here on wakes `waitForMore`.
    let growth = growth.count
    let limit = min(max(limit, 1), EventLog.maximumEvents)
    let rows = try await database.query(
      Statement(
        """
        SELECT position, event_id, aggregate_id, aggregate_version, type, effective_time, recorded_time, actor, payload
        FROM event WHERE partition = ? AND position > ? ORDER BY position LIMIT ?
        """, [.integer(partition), .integer(place.position(in: partition)), .integer(Int64(limit))]),
      access: .point)
    let events = try rows.map { row in
      NumberedEvent(
        position: try row.integer(0),
        event: OutboxEvent(
          eventID: try row.text(1), partition: partition, aggregateID: try row.text(2),
          aggregateVersion: try row.integer(3), type: try row.text(4), effectiveTime: try row.time(5),
          recordedTime: try row.time(6), actor: try row.text(7), payload: try row.blob(8)))
    }
    var bytes = 0
    let fitting = events.prefix { event in
      defer { bytes += event.event.payload.count }
      return bytes == 0 || bytes + event.event.payload.count <= maximumBytes
    }
    // After the events: what was removed before they were read is known now.
    let removed = try await snapshot().removedUpTo
    let place = try check(place, removedUpTo: removed)
    let next = fitting.last.map { place.moved(to: $0.position, in: partition) } ?? place
    return EventPage(
      events: Array(fitting), next: next, isSnapshot: (fitting.first?.position ?? .max) <= removed,
      isCaughtUp: fitting.count < limit && fitting.count == events.count,
      growth: growth)
  }

  /// The place as one may read on from it. Who stands at the beginning reads the snapshot first; who stands within a snapshot
  /// may go on as long as it is the same one.
  private func check(_ place: ResumePosition, removedUpTo removed: Int64) throws -> ResumePosition {
    let position = place.position(in: partition)
    if position >= removed { return place }
    if position == 0 { return place.reading(snapshotUpTo: removed, in: partition) }
    guard place.base(in: partition) == removed else { throw ResumePosition.Refused.removed }
    return place
  }

  /// Returns when events may be there that came after this page was read. Throws `CancellationError`, and
  /// `StorageError.overloaded` when too many wait.
  public func waitForMore(after page: EventPage) async throws { try await growth.wait(after: page.growth) }

  /// Wakes the subscribers: events have been numbered, here or in another replica.
  func announce() { growth.raise() }

  /// The number given last, and how many events are committed and have none yet.
  public func state() async throws -> (lastPosition: Int64, unnumbered: Int64) {
    let row = try await database.row(
      Statement(
        "SELECT count(*) FROM event WHERE partition = ? AND position IS NULL", [.integer(partition)]), access: .scan)
    return (try await lastPosition(), try row?.integer(0) ?? 0)
  }

  /// The number given last.
  private func lastPosition() async throws -> Int64 {
    let row = try await database.row(
      Statement("SELECT last_position FROM event_partition WHERE partition = ?", [.integer(partition)]))
    return try row?.integer(0) ?? 0
  }
}
