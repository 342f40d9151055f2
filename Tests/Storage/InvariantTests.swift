import Core
import Storage
import StorageSQLite
import Synchronization
import Testing

private final class FoundFindings: Sendable {
  let all = Mutex<[Finding]>([])
}

/// Contradictions that are planted, and found.
@Suite struct InvariantTests {
  private static let aggregates = [AggregateRows("note", key: "id")]

  /// 600 notes, three slices, of which the first has five versions; all events have positions.
  private func filled() async throws -> TestStore {
    let store = try await TestStore()
    let log = try await EventLog.open(store.database, random: SystemRandom())
    let ids = (0..<600).map { "n\($0)" }
    try await store.database.commit(
      Batch(ids.map { insertNote($0) }, events: ids.map { store.event($0, 1) }), lane: .bulk)
    for version in 2...5 as ClosedRange<Int64> {
      try await store.commit(
        updateNote("n0", body: "again", version: version - 1), events: [store.event("n0", version)])
    }
    let sequencer = Sequencer(database: store.database, log: log, holder: "one", clock: store.clock)
    #expect(try await sequencer.step() == .numbered(604))
    return store
  }

  private func findings(_ store: TestStore) async throws -> [Finding] {
    var findings: [Finding] = []
    for invariant in Invariant.all(Self.aggregates) {
      var place: [SQLValue]?
      repeat {
        let slice = try await invariant.slice(of: store.database, after: place)
        findings += slice.findings
        place = slice.next
      } while place != nil
    }
    return findings
  }

  @Test func rightDataGiveNoFinding() async throws {
    let store = try await filled()
    #expect(try await findings(store) == [])
    #expect(try await store.database.checkPages() == [])
  }

  static let damages: [(sql: String, finding: Finding)] = [
    (
      "UPDATE note SET version = 6 WHERE id = 'n0'",
      Finding(
        "events of note", place: "note n0", problem: "the row has version 6, its 5 events have versions 1 to 5")
    ),
    (
      "DELETE FROM event WHERE aggregate_id = 'n0' AND aggregate_version = 3",
      Finding(
        "events of note", place: "note n0", problem: "the row has version 5, its 4 events have versions 1 to 5")
    ),
    (
      "DELETE FROM event WHERE aggregate_id = 'n599'",
      Finding("events of note", place: "note n599", problem: "the row has version 1, no event tells of it")
    ),
    (
      "DELETE FROM note WHERE id = 'n300'",
      Finding("rows of events", place: "event of n300", problem: "there is no such row in any table")
    ),
    (
      "UPDATE event_partition SET last_position = 605",
      Finding("positions", place: "last event", problem: "it has position 604, but 605 was given last")
    ),
    (
      "UPDATE event SET position = 10000 WHERE position = 604",
      Finding("positions", place: "behind 512", problem: "92 events have positions 513 to 10000")
    ),
    (
      "UPDATE event SET position = NULL WHERE position = 257",
      Finding("positions", place: "behind 256", problem: "256 events have positions 258 to 513")
    ),
    (
      "INSERT INTO idempotency VALUES ('ann', 'Create', 'r1', x'', x'00', 5)",
      Finding("answers", place: "request r1 of Create", problem: "its hash or its time is missing")
    ),
    (
      "INSERT INTO audit_leaf VALUES (1, x'00', 'n0', 1, 'ann', 5, NULL)",
      Finding("leaves", place: "behind leaf -1", problem: "1 leaves stand at 1 to 1")
    ),
    (
      // The log began with another leaf, and what waited for n0's is gone.
      "INSERT INTO audit_leaf VALUES (0, x'00', 'other', 1, 'ann', 5, NULL); DELETE FROM audit_pending",
      Finding(
        "leaves of events", place: "event of n0, version 1", problem: "the audit log has no leaf for it")
    ),
  ]

  @Test(arguments: damages.indices) func aContradictionIsFoundWithItsPlace(_ index: Int) async throws {
    let (sql, finding) = Self.damages[index]
    let store = try await filled()
    for statement in sql.split(separator: ";") { try await store.commit(Statement(String(statement))) }
    let found = try await findings(store)
    #expect(found.contains(finding), "\(found)")
  }

  @Test(.timeLimit(.minutes(10))) func theAuditorFindsItWhileTheServiceRuns() async throws {
    let store = try await filled()
    try await store.commit(Statement("DELETE FROM note WHERE id = 'n300'"))
    let auditor = StorageAuditor(store.database, Invariant.all(Self.aggregates), clock: store.clock)
    let found = FoundFindings()
    let passed = AsyncSignal()
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        try? await auditor.run(
          sleep: { pause in
            try Task.checkCancellation()
            if pause == StorageAuditor.passInterval { passed.raise() }
            await Task.yield()
          }, onFinding: { finding in found.all.withLock { $0.append(finding) } }, onError: { Issue.record($0) })
      }
      try? await passed.wait(after: 0)
      group.cancelAll()
    }
    let finding = Finding("rows of events", place: "event of n300", problem: "there is no such row in any table")
    #expect(found.all.withLock { $0.first } == finding)
    #expect(auditor.figures.violations == 1)
    #expect(auditor.figures.passes >= 1)
    #expect(auditor.figures.rows >= 599 + 600 + 604)
    #expect(auditor.figures.lastPassTime == store.clock.now())
  }

  @Test func aDamagedPageIsFoundWithItsPlaceInTheFile() async throws {
    let store = try await filled()
    let root = try await store.database.row(Statement("SELECT rootpage FROM sqlite_schema WHERE name = 'note'"))
    let page = Int(try root?.integer(0) ?? 0)
    store.database.close()
    store.folder.overwrite(Array(repeating: 0x5A, count: 64), at: (page - 1) * 4_096 + 8)
    let again = try SQLiteDatabase(path: store.folder.database, clock: store.clock)
    defer { again.close() }
    let findings = try await again.checkPages()
    #expect(
      findings.contains { $0.check == "pages" && $0.place == "page \(page) at byte \((page - 1) * 4_096)" },
      "\(findings)")
  }

  @Test func aRowThatPointsNowhereIsFound() async throws {
    let store = try await filled()
    try await store.commit(
      insertNote("x"), Statement("INSERT INTO tag (id, note_id) VALUES ('t', 'x')"), events: [store.event("x", 1)])
    store.database.close()
    store.folder.runSQL("PRAGMA foreign_keys = OFF; DELETE FROM note WHERE id = 'x'")
    let again = try SQLiteDatabase(path: store.folder.database, clock: store.clock)
    defer { again.close() }
    #expect(
      try await again.checkPages() == [Finding("foreign keys", place: "tag row 1", problem: "no such row in note")])
  }
}
