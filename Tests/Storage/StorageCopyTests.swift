import Core
import MainstayTesting
import Storage
import StorageCopying
import StoragePostgres
import StorageSQLite
import Testing

@Suite struct StorageCopyTests {
  /// Notes, tags that point to them, a full-text table, events with and without a position, answers, all kinds of values.
  private static let migrations = [
    TestStore.migration,
    Migration(
      version: 2, name: "words and values",
      statements: [
        "CREATE TABLE word (rowid INTEGER PRIMARY KEY NOT NULL, terms TEXT NOT NULL)",
        "CREATE TABLE thing (id TEXT NOT NULL, number INTEGER, share REAL, bytes BLOB, PRIMARY KEY (id)) STRICT",
      ],
      sqlite: [
        "CREATE VIRTUAL TABLE word USING fts5(terms, tokenize = 'ascii')",
        "CREATE TABLE thing (id TEXT NOT NULL, number INTEGER, share REAL, bytes BLOB, PRIMARY KEY (id)) STRICT",
      ]),
  ]

  private let folder = TemporaryFolder()

  private func file(_ name: String, _ limits: SQLiteLimits = SQLiteLimits()) throws -> SQLiteDatabase {
    try SQLiteDatabase(path: folder.path + "/" + name, clock: ManualClock(), limits: limits)
  }

  private func source() async throws -> SQLiteDatabase {
    let database = try file("source.db")
    try await database.migrate(Self.migrations)
    let log = try await EventLog.open(database, random: SystemRandom())
    let ids = (0..<700).map { "n\($0)" }
    let time = Timestamp(microsecondsSinceEpoch: 1_700_000_000_000_000)
    let events = ids.map { id in
      OutboxEvent(
        eventID: "evt_\(id)", aggregateID: id, aggregateVersion: 1, type: "test.Changed", effectiveTime: time,
        recordedTime: time, actor: "张伟", payload: [0, 1, 255])
    }
    try await database.commit(Batch(ids.map { insertNote($0, body: "张伟 \($0)") }, events: events), lane: .bulk)
    let sequencer = Sequencer(database: database, log: log, holder: "one", clock: ManualClock())
    #expect(try await sequencer.step() == .numbered(700))
    var batch = Batch(
      ids.map { Statement("INSERT INTO tag (id, note_id) VALUES (?, ?)", [.text("t\($0)"), .text($0)]) })
    batch.statements += [
      Statement("INSERT INTO word (rowid, terms) VALUES (7, '人寿 寿保')"),
      Statement("INSERT INTO thing VALUES ('a', ?, 1.5, ?)", [.integer(.min), .blob([0, 255])]),
      Statement("INSERT INTO thing VALUES ('b', NULL, NULL, NULL)"),
      Statement("INSERT INTO thing VALUES ('', 0, 0.0, x'')"),
    ]
    try await database.commit(batch, lane: .bulk)
    return database
  }

  private func copy(_ source: StorageCopy.Side, _ target: StorageCopy.Side) async throws -> [String: Int] {
    var rows: [String: Int] = [:]
    try await StorageCopy(from: source, to: target, migrations: Self.migrations).run { rows[$0] = $1 }
    return rows
  }

  /// All rows of all tables as text.
  private func content(_ database: SQLiteDatabase) async throws -> [String] {
    var lines: [String] = []
    for table in ["note", "tag", "word", "thing", "event", "event_partition", "log_epoch", "audit_pending"] {
      let columns = table == "word" ? "rowid, terms" : "*"
      let rows = try await database.query(Statement("SELECT \(columns) FROM \(table) ORDER BY 1, 2"), access: .scan)
      lines += try rows.map { row in "\(table): \(try (0..<row.count).map { "\(try row.value($0))" })" }
    }
    return lines
  }

  @Test func aCopyIsEqualToTheRow() async throws {
    let (source, target) = (try await source(), try file("target.db"))
    let rows = try await copy(.init(source, .sqlite), .init(target, .sqlite))
    #expect(
      rows["note"] == 700 && rows["tag"] == 700 && rows["event"] == 700 && rows["word"] == 1 && rows["thing"] == 3)
    #expect(try await content(target) == content(source))
    // A service takes the copy for its own.
    try await target.migrate(Self.migrations)
    await #expect(throws: StorageCopy.Failure.targetIsNotEmpty) {
      _ = try await copy(.init(source, .sqlite), .init(target, .sqlite))
    }
    try await target.migrate(Self.migrations)
  }

  @Test(.timeLimit(.minutes(20))) func toAServerAndBackIsEqualToTheRow() async throws {
    let server = try await PostgresDatabase.open(
      try await PostgresServer.shared.location(), clock: ManualClock(), limits: PostgresLimits(connections: 6))
    defer { server.close() }
    let (source, back) = (try await source(), try file("back.db"))
    let there = try await copy(.init(source, .sqlite), .init(server, .postgresql))
    #expect(there["note"] == 700 && there["word"] == 1)
    let home = try await copy(.init(server, .postgresql), .init(back, .sqlite))
    #expect(home == there)
    #expect(try await content(back) == content(source))
    await #expect(throws: StorageCopy.Failure.noFile) {
      _ = try await copy(.init(server, .postgresql), .init(server, .postgresql))
    }
  }

  @Test func aCopyThatBreaksOffIsNoDatabaseAndIsBegunAnew() async throws {
    let source = try await source()
    let disk = CrashDisk()
    let target = try file("target.db", disk.limits())
    try await target.migrate(Self.migrations)
    disk.failWrites(after: 90)
    await #expect(throws: StorageError.self) { _ = try await copy(.init(source, .sqlite), .init(target, .sqlite)) }
    target.close()
    disk.failWrites(after: -1)
    let again = try file("target.db", disk.limits())
    await #expect(throws: MigrationError.databaseIsNewer(component: "storage_copy", version: 1)) {
      try await again.migrate(Self.migrations)
    }
    _ = try await copy(.init(source, .sqlite), .init(again, .sqlite))
    #expect(try await content(again) == content(source))
    again.close()
  }
}
