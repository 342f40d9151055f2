import Audit
import AuditProof
import Core
import MainstayTesting
import Storage
import StorageSQLite
import Testing

/// A database whose notes, events and audit log are filled as a service does it, and of which parts go by the book.
private struct RetentionScene {
  static let notes: Int64 = 300
  static let migrations: [Migration] = [
    .keyed(version: 1, name: "notes") { keyed in
      ["CREATE TABLE note (id TEXT NOT NULL PRIMARY KEY, version INTEGER NOT NULL) \(keyed)"]
    }
  ]

  let store: AuditStore
  let log: EventLog
  private let sequencer: Sequencer

  /// 300 notes, of which each version has its event at a position behind those of the version before: 1 to 300, 301 to 600 …
  init(_ backend: AuditBackend, versions: Int64 = 3) async throws {
    try await self.init(try await AuditStore(backend, migrations: Self.migrations))
    for version in 1...versions { try await change(version) }
  }

  init(_ store: AuditStore) async throws {
    self.store = store
    log = try await EventLog.open(store.database, random: SystemRandom())
    sequencer = Sequencer(database: store.database, log: log, holder: "one", clock: store.clock)
  }

  func change(_ version: Int64) async throws {
    let ids = (0..<Self.notes).map { "n\($0)" }
    let statements = ids.map { id in
      version == 1
        ? Statement("INSERT INTO note (id, version) VALUES (?, 1)", [.text(id)])
        : Statement("UPDATE note SET version = ? WHERE id = ?", [.integer(version), .text(id)])
    }
    try await store.database.commit(Batch(statements, events: ids.map { store.event($0, version) }), lane: .bulk)
    try await settle()
  }

  /// Numbers all events and places all leaves.
  func settle() async throws {
    while case .numbered = try await sequencer.step() {}
    let leaves = LeafSequencer(log: store.log, lease: sequencer.lease, key: store.key, clock: store.clock)
    while case .placed = try await leaves.step() {}
  }

  func publish(upTo position: Int64) async throws {
    let count = try await log.count(after: 0, to: position, inSnapshot: position)
    try await commit(log.publication(upTo: position, events: count, at: store.clock.now()))
  }

  /// As the job retain-events does.
  func remove(upTo end: Int64) async throws {
    let snapshot = try await log.snapshot().position
    try await store.database.commit(Batch(log.removal(after: 0, to: end, snapshot: snapshot)), lane: .bulk)
  }

  /// Drops the contents of all leaves that are there now, and goes on half a year later.
  func dropLeaves() async throws {
    store.clock.advance(seconds: 200 * 86_400)
    try await change(4)
    let retention = LeafRetention(log: store.log, days: 190, clock: store.clock, random: SystemRandom())
    #expect(try await retention.begin())
    while try await retention.drop() > 0 {}
    try await settle()
  }

  func commit(_ statements: Statement...) async throws {
    try await store.database.commit(Batch(statements), lane: .bulk)
  }

  /// What the continuous auditor and `storage check` look at. `between` happens after each slice.
  func findings(between: (Invariant) async throws -> Void = { _ in }) async throws -> [Finding] {
    var findings: [Finding] = []
    for invariant in Invariant.all([AggregateRows("note", key: "id")]) + [.leafHashes] {
      var place: [SQLValue]?
      repeat {
        let slice = try await invariant.slice(of: store.database, after: place)
        findings += slice.findings
        place = slice.next
        try await between(invariant)
      } while place != nil
    }
    return findings
  }
}

/// What goes by the book is no contradiction and no tampering; what goes otherwise still is.
@Suite(.timeLimit(.minutes(20))) struct RetentionTests {
  @Test(arguments: AuditBackend.allCases) func removedEventsAreNoContradictionAndNoTampering(_ backend: AuditBackend)
    async throws
  {
    let scene = try await RetentionScene(backend)
    defer { scene.store.database.close() }
    let note = try #require(try await scene.store.log.newestNote())
    try await scene.publish(upTo: 900)
    try await scene.remove(upTo: 500)
    #expect(try await scene.store.number("SELECT count(*) FROM event") == 400)
    #expect(try await scene.findings() == [])
    let report = try await scene.store.verify([note])
    #expect(report.isSound && report.overtaken == 500 && report.events == 400, "\(report.text)")
    #expect(report.text.contains("400 compared, 500 removed"), "\(report.text)")
  }

  @Test(arguments: AuditBackend.allCases) func aRemovalWhileTheAuditorIsInTheMiddleIsNoContradiction(
    _ backend: AuditBackend
  ) async throws {
    let scene = try await RetentionScene(backend)
    defer { scene.store.database.close() }
    try await scene.publish(upTo: 900)
    var removed: Int64 = 0
    let findings = try await scene.findings { invariant in
      guard invariant.name == "positions", removed < 600 else { return }
      removed += 300
      try await scene.remove(upTo: removed)
    }
    #expect(findings == [] && removed == 600)
  }

  /// After events up to 500 have gone below a snapshot: what is taken, and who must notice.
  static let losses: [(snapshot: Int64, sql: String, finding: String, fault: String)] = [
    // Overtaken within the snapshot, but behind what was removed.
    (
      900, "DELETE FROM event WHERE position = 550", "positions: behind 500",
      "of the events behind position 500, where none may be removed, 1 are not there"
    ),
    // Below what was removed, and overtaken only by an event that the snapshot does not have.
    (600, "DELETE FROM event WHERE position = 450", "events of note: note n", "that the leaf tells of is not there"),
    // The newest.
    (900, "DELETE FROM event WHERE position = 900", "events of note: note n", "that the leaf tells of is not there"),
    (600, "DELETE FROM event WHERE position = 900", "positions: last event", "that the leaf tells of is not there"),
    // All of a note.
    (900, "DELETE FROM event WHERE aggregate_id = 'n7'", "events of note: note n7", "the leaf tells of is not there"),
  ]

  @Test(arguments: AuditBackend.allCases, losses.indices) func aMissingEventIsFoundAmongThoseThatWereRemoved(
    _ backend: AuditBackend, _ index: Int
  ) async throws {
    let loss = Self.losses[index]
    let scene = try await RetentionScene(backend)
    defer { scene.store.database.close() }
    try await scene.publish(upTo: loss.snapshot)
    try await scene.remove(upTo: 500)
    #expect(try await scene.findings() == [])
    #expect(try await scene.store.verify().isSound)
    try await scene.commit(Statement(loss.sql))
    let findings = try await scene.findings()
    #expect(findings.contains { $0.description.hasPrefix(loss.finding) }, "\(findings)")
    let report = try await scene.store.verify()
    #expect(report.faults.contains { $0.text.contains(loss.fault) }, "\(report.text)")
  }

  @Test func anOvertakenEventMayBeGoneOnlyOnceRetentionHasRemovedSome() async throws {
    let scene = try await RetentionScene(.sqlite, versions: 2)
    func loses(_ position: Int64) async throws -> Bool {
      let report = try await scene.store.verify()
      return report.faults.contains { $0.positions == position..<position + 1 && $0.text.contains("is not there") }
    }
    let leaf = try await scene.store.number(
      """
      SELECT l.position FROM audit_leaf l JOIN event e
        ON e.aggregate_id = l.aggregate_id AND e.aggregate_version = l.aggregate_version WHERE e.position = 5
      """)
    try await scene.publish(upTo: 600)
    #expect(try await !loses(leaf))
    try await scene.commit(Statement("DELETE FROM event WHERE position = 5"))
    #expect(try await loses(leaf), "a snapshot was published, and nothing removed")
    try await scene.remove(upTo: 10)
    #expect(try await !loses(leaf), "it would have gone")
    // Its successor is of another type, and holds other facts.
    try await scene.commit(
      Statement(
        """
        UPDATE event SET type = 'test.Other' WHERE position > 300 AND aggregate_id =
          (SELECT aggregate_id FROM audit_leaf WHERE position = \(leaf))
        """))
    #expect(try await loses(leaf))
  }

  @Test(arguments: AuditBackend.allCases) func droppedLeavesAreNoContradiction(_ backend: AuditBackend) async throws {
    let scene = try await RetentionScene(backend)
    defer { scene.store.database.close() }
    let note = try #require(try await scene.store.log.newestNote())
    try await scene.dropLeaves()
    #expect(try await scene.findings() == [])
    let report = try await scene.store.verify([note])
    #expect(report.isSound && report.dropped == 901, "\(report.text)")
    // And events of the same age with them.
    try await scene.publish(upTo: 1_200)
    try await scene.remove(upTo: 900)
    #expect(try await scene.findings() == [])
    #expect(try await scene.store.verify([note]).isSound)
    try await scene.commit(Statement("DELETE FROM event WHERE position = 1000"))
    let findings = try await scene.findings()
    #expect(findings.map(\.check).sorted() == ["events of note", "positions"], "\(findings)")
    #expect(try await !scene.store.verify([note]).isSound)
    // A new event without a leaf.
    try await scene.commit(
      Statement("UPDATE audit_leaf SET aggregate_id = 'other' WHERE position = 1100"))
    #expect(try await scene.findings().contains { $0.check == "leaves of events" })
  }

  @Test func aRestoreAfterBothRetentionsIsSoundAndStillFindsALoss() async throws {
    let scene = try await RetentionScene(.sqlite)
    let (store, folder) = (scene.store, scene.store.folder)
    try await scene.dropLeaves()
    try await scene.publish(upTo: 1_200)
    try await scene.remove(upTo: 700)
    let database = try #require(store.database as? SQLiteDatabase)
    let backup = folder.file("backup.db")
    _ = try await database.backUp(to: backup)
    let inBackup = try #require(try await store.log.newestNote())
    try await scene.change(5)
    let lost = try #require(try await store.log.newestNote())
    store.database.close()
    try SQLiteRestore(backup: backup, to: store.path).run(
      replacing: true, migrations: RetentionScene.migrations, random: SystemRandom())
    let restored = try await RetentionScene(
      AuditStore(folder: folder, key: store.key, migrations: RetentionScene.migrations))
    defer { restored.store.database.close() }
    restored.store.clock.advance(seconds: 300 * 86_400)
    #expect(restored.store.log.epoch != store.log.epoch)
    try await restored.settle()
    try await restored.change(5)
    #expect(try await restored.findings() == [])
    let report = try await restored.store.verify([inBackup, lost])
    #expect(report.isSound && report.notices.count == 1, "\(report.text)")
    try await restored.publish(upTo: 1_500)
    try await restored.remove(upTo: 1_200)
    #expect(try await restored.findings() == [])
    #expect(try await restored.store.verify([inBackup, lost]).isSound)
    try await restored.commit(Statement("DELETE FROM event WHERE position = 1300"))
    #expect(try await !restored.findings().isEmpty)
    #expect(try await !restored.store.verify([inBackup]).isSound)
  }
}
