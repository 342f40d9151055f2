import Core
import Storage
import StorageSQLite
import Synchronization

/// What writers have been told is on the disk, and what they were writing when power went off.
final class PowerLossBook: Sendable {
  /// A note as it must be found.
  struct Note: Hashable, Sendable {
    var version: Int64
    var body: String
  }

  private struct Pages: Sendable {
    var acknowledged: [String: Note] = [:]
    /// Sent, not answered: may be there wholly or not at all.
    var pending: [String: Note] = [:]
    var acknowledgedPosition: Int64 = 0
    var acknowledgements = 0
    var refusals: [String] = []
  }

  private let pages = Mutex(Pages())

  var acknowledgements: Int { pages.withLock { $0.acknowledgements } }

  var refusals: [String] { pages.withLock { $0.refusals } }

  func note(_ refusal: String) { pages.withLock { $0.refusals.append(refusal) } }

  func current(_ id: String) -> Note? { pages.withLock { $0.acknowledged[id] } }

  func begin(_ id: String, _ note: Note) { pages.withLock { $0.pending[id] = note } }

  func acknowledge(_ id: String, _ note: Note) {
    pages.withLock { pages in
      pages.pending[id] = nil
      pages.acknowledged[id] = note
      pages.acknowledgements += 1
    }
  }

  func acknowledge(position: Int64) {
    pages.withLock { $0.acknowledgedPosition = max($0.acknowledgedPosition, position) }
  }

  /// The batch that brings a note to a version: its row, its event and its answer.
  static func batch(_ id: String, _ note: Note) -> Batch {
    let row =
      note.version == 1
      ? insertNote(id, body: note.body) : updateNote(id, body: note.body, version: note.version - 1)
    let time = Timestamp(microsecondsSinceEpoch: 1_700_000_000_000_000)
    return Batch(
      [row],
      events: [
        OutboxEvent(
          eventID: "evt_\(id)_\(note.version)", aggregateID: id, aggregateVersion: note.version, type: "test.Changed",
          effectiveTime: time, recordedTime: time, actor: "tester", payload: Array(note.body.utf8))
      ],
      idempotency: IdempotencyRecord(
        caller: "tester", method: "Write", requestID: "\(id)@\(note.version)", requestHash: [1],
        reply: Array(note.body.utf8), createTime: time))
  }

  /// Compares a database with the book and takes what it finds for the truth from here on. Returns what is wrong.
  func check(_ database: SQLiteDatabase) async throws -> [String] {
    var problems: [String] = []
    let integrity = try await database.query(Statement("PRAGMA integrity_check"), access: .scan)
    for row in integrity where try row.text(0) != "ok" { problems.append("integrity: \(try row.text(0))") }
    let rows = try await database.query(Statement("SELECT id, version, body FROM note"), access: .scan)
    var found: [String: Note] = [:]
    for row in rows { found[try row.text(0)] = Note(version: try row.integer(1), body: try row.text(2)) }
    let expected = pages.withLock { $0 }
    for id in Set(expected.acknowledged.keys).union(expected.pending.keys).union(found.keys).sorted() {
      let allowed = [expected.acknowledged[id], expected.pending[id]]
      let note = found[id]
      if note == nil ? expected.acknowledged[id] != nil : !allowed.contains(note) {
        problems.append(
          "note \(id): version \(note?.version ?? 0) instead of \(expected.acknowledged[id]?.version ?? 0) or "
            + "\(expected.pending[id]?.version ?? 0)")
      }
    }
    problems += try await checkEvents(database, found)
    problems += try await checkPositions(database, acknowledged: expected.acknowledgedPosition)
    let known = found
    pages.withLock { pages in
      pages.acknowledged = known
      pages.pending = [:]
    }
    return problems
  }

  /// Each version of each note has its event and its answer, and nothing else has.
  private func checkEvents(_ database: SQLiteDatabase, _ notes: [String: Note]) async throws -> [String] {
    var problems: [String] = []
    let wanted = Set(notes.flatMap { id, note in (1...note.version).map { "\(id)@\($0)" } })
    let events = try await database.query(
      Statement("SELECT aggregate_id, aggregate_version, payload FROM event"), access: .scan)
    var seen: Set<String> = []
    for row in events {
      let (id, version) = (try row.text(0), try row.integer(1))
      if !seen.insert("\(id)@\(version)").inserted { problems.append("event \(id)@\(version) twice") }
      if let note = notes[id], note.version == version, try row.blob(2) != Array(note.body.utf8) {
        problems.append("event \(id)@\(version) tells of another body")
      }
    }
    if seen != wanted {
      problems.append("\(wanted.subtracting(seen).count) events lost, \(seen.subtracting(wanted).count) of nothing")
    }
    let answers = try await database.query(Statement("SELECT request_id FROM idempotency"), access: .scan)
    let answered = Set(try answers.map { try $0.text(0) })
    if answered != wanted || answers.count != wanted.count {
      problems.append(
        "\(wanted.subtracting(answered).count) answers lost, \(answered.subtracting(wanted).count) of nothing")
    }
    return problems
  }

  /// 1, 2, 3 …, and nothing that was seen is gone.
  private func checkPositions(_ database: SQLiteDatabase, acknowledged: Int64) async throws -> [String] {
    let row = try await database.row(
      Statement(
        """
        SELECT count(position), coalesce(min(position), 1), coalesce(max(position), 0),
          coalesce((SELECT max(last_position) FROM event_partition), 0) FROM event
        """), access: .scan)
    guard let row else { return ["no positions"] }
    let (count, first, last, told) = (
      try row.integer(0), try row.integer(1), try row.integer(2), try row.integer(3)
    )
    var problems: [String] = []
    if first != 1 || count != last || told != last {
      problems.append("positions \(first) to \(last), \(count) of them, last \(told)")
    }
    if last < acknowledged { problems.append("position \(acknowledged) was seen, the last is \(last)") }
    return problems
  }
}
