import API
import Core
import EventFollowing
import Jobs
import RPCCore
import Storage
import Synchronization

/// Keeps the facts of one service: the rows that its events change, and how far they are applied, in one batch.
struct FactSink: EventSink {
  private let service: FollowedService
  private let database: any Database
  private let jobs: Jobs
  private let place: SharedPlace

  /// A sink for the events of a service. When a rebuild has ended it puts the removal of the old facts in line.
  init(_ service: FollowedService, database: any Database, jobs: Jobs) {
    (self.service, self.database, self.jobs) = (service, database, jobs)
    place = SharedPlace()
  }

  func resumeToken() async throws -> String {
    let progress = try await ProgressRepository(database: database).progress(of: service)
    let generation = progress.building ?? progress.current
    place.value.withLock { $0 = generation }
    return generation.token
  }

  func apply(_ page: SubscribeResponse) async throws -> [Event] {
    let old = place.value.withLock { $0 }
    // A page that ends where this stands has been applied: it is told a second time.
    let events = page.resumeToken == old.token ? [] : page.events
    var statements: [Statement] = []
    var skipped: [Event] = []
    for event in events {
      switch EventFacts.effect(of: event, generation: old.number) {
      case .rows(let rows): statements += rows
      case .unknown:
        skipped.append(event)
        statements.append(try unknown(event))
      }
    }
    var new = old
    new.token = page.resumeToken
    new.applied += Int64(events.count)
    new.lastRecorded = max(new.lastRecorded, events.compactMap(\.recordedTime).map(\.microseconds).max() ?? 0)
    if new != old { try await database.commit(Batch(statements + [advance(from: old, to: new)]), lane: .bulk) }
    place.value.withLock { $0 = new }
    if page.caughtUp, new.isBuilding { try await changeOver(to: new) }
    return skipped
  }

  func startOver() async throws {
    let rebuild = try await ProgressRepository(database: database).rebuild(of: service)
    try await database.commit(Batch(rebuild.statements), lane: .interactive)
  }

  /// Another writer at the same place would apply events twice: it fails instead.
  private func advance(from old: Generation, to new: Generation) -> Statement {
    Statement(
      """
      UPDATE progress SET token = ?, applied = ?, last_recorded = ? WHERE service = ? AND generation = ? AND token = ?
      """,
      [
        .text(new.token), .integer(new.applied), .integer(new.lastRecorded), .text(service.rawValue),
        .integer(new.number), .text(old.token),
      ], expect: .changes(1, orFail: BatchConflict(.versionMismatch, subject: "progress of \(service.rawValue)")))
  }

  private func unknown(_ event: Event) throws -> Statement {
    Statement(
      "INSERT INTO unknown_event (service, event_id, type, event) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
      [.text(service.rawValue), .text(event.eventID), .text(event.type), .blob(try event.serialized())])
  }

  /// The generation that was built is what reports read from now on; the one before goes bit by bit.
  private func changeOver(to built: Generation) async throws {
    let number = SQLValue.integer(built.number)
    try await database.commit(
      Batch([
        Statement(
          "UPDATE progress SET is_building = 0 WHERE service = ? AND generation = ? AND is_building = 1",
          [.text(service.rawValue), number],
          expect: .changes(1, orFail: BatchConflict(.notFound, subject: "rebuild of \(service.rawValue)"))),
        Statement(
          "DELETE FROM progress WHERE service = ? AND generation < ?", [.text(service.rawValue), number]),
        jobs.creation(OldFacts.kind, actor: "reporting").statement,
      ]), lane: .bulk)
    place.value.withLock { $0.isBuilding = false }
    jobs.announce()
  }
}

/// Where a sink stands, shared by its copies.
private final class SharedPlace: Sendable {
  let value = Mutex(Generation())
}

extension GoogleTimestamp {
  /// Microseconds since 1970, held within their range.
  var microseconds: Int64 {
    let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
    return overflow ? 0 : product &+ Int64(nanos) / 1_000
  }
}
