import CSQLite
import Core
import Glibc
import Storage
import StorageSQLite
import Synchronization

/// A fresh folder, removed with all that is in it when the test ends.
final class TemporaryFolder: Sendable {
  let path: String

  init() {
    var template = Array("/tmp/mainstay-storage-XXXXXX".utf8CString)
    path = mkdtemp(&template).map { String(cString: $0) } ?? "/tmp"
  }

  deinit {
    guard path != "/tmp", let folder = opendir(path) else { return }
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { remove(path + "/" + name) }
    }
    closedir(folder)
    rmdir(path)
  }

  var database: String { path + "/store.db" }

  /// Puts bytes into the database's file.
  func overwrite(_ bytes: [UInt8], at offset: Int) {
    let file = open(database, O_WRONLY)
    defer { close(file) }
    pwrite(file, bytes, bytes.count, off_t(offset))
  }

  /// Runs SQL on the file as any other program would.
  func runSQL(_ sql: String) {
    var handle: OpaquePointer?
    sqlite3_open(database, &handle)
    sqlite3_exec(handle, sql, nil, nil, nil)
    sqlite3_close(handle)
  }
}

/// A clock that is turned by hand; its monotonic side is the system's.
final class ManualClock: Clock {
  private let microseconds = Atomic<Int64>(1_700_000_000_000_000)

  func now() -> Timestamp { Timestamp(microsecondsSinceEpoch: microseconds.load(ordering: .relaxed)) }
  func monotonicNanoseconds() -> UInt64 { SystemClock().monotonicNanoseconds() }
  func advance(seconds: Int64) { microseconds.add(seconds * 1_000_000, ordering: .relaxed) }
}

/// An open database with a table `note(id, body, version)` and one `tag(id, note_id)` whose foreign key is checked at
/// COMMIT.
struct TestStore {
  let folder = TemporaryFolder()
  let clock = ManualClock()
  let database: SQLiteDatabase

  static let migration = Migration(
    version: 1, name: "notes",
    statements: [
      "CREATE TABLE note (id TEXT PRIMARY KEY NOT NULL, body TEXT NOT NULL, version INTEGER NOT NULL) STRICT",
      """
      CREATE TABLE tag (id TEXT PRIMARY KEY NOT NULL,
        note_id TEXT NOT NULL REFERENCES note (id) DEFERRABLE INITIALLY DEFERRED) STRICT
      """,
    ])

  init(limits: SQLiteLimits = SQLiteLimits()) async throws {
    database = try SQLiteDatabase(path: folder.database, clock: clock, limits: limits)
    try await database.migrate([TestStore.migration])
  }
}

/// What tests do with the notes of a store, whatever database it has.
protocol NoteStore {
  var clock: ManualClock { get }
  var anyDatabase: any Database { get }
}

extension TestStore: NoteStore {
  var anyDatabase: any Database { database }
}

extension NoteStore {
  /// Ids of all notes, in order.
  func notes() async throws -> [String] {
    try await anyDatabase.query(Statement("SELECT id FROM note ORDER BY id"), access: .scan).map { try $0.text(0) }
  }

  @discardableResult
  func commit(_ statements: Statement..., events: [OutboxEvent] = [], lane: WriteLane = .interactive) async throws
    -> BatchReceipt
  {
    try await anyDatabase.commit(Batch(statements, events: events), lane: lane)
  }

  func count(_ table: String) async throws -> Int64 {
    try await anyDatabase.row(Statement("SELECT count(*) FROM \(table)"))?.integer(0) ?? -1
  }

  func event(_ aggregate: String, _ version: Int64, partition: Int64 = 0) -> OutboxEvent {
    OutboxEvent(
      eventID: "evt_\(aggregate)_\(version)", partition: partition, aggregateID: aggregate, aggregateVersion: version,
      type: "test.Changed", effectiveTime: clock.now(), recordedTime: clock.now(), actor: "tester",
      payload: Array("\(aggregate)@\(version)".utf8))
  }
}

func insertNote(_ id: String, body: String = "text") -> Statement {
  Statement(
    "INSERT INTO note (id, body, version) VALUES (?, ?, 1)", [.text(id), .text(body)],
    expect: .unique(orFail: BatchConflict(.alreadyExists, subject: id)))
}

func updateNote(_ id: String, body: String, version: Int64) -> Statement {
  Statement(
    "UPDATE note SET body = ?, version = version + 1 WHERE id = ? AND version = ?",
    [.text(body), .text(id), .integer(version)],
    expect: .changes(1, orFail: BatchConflict(.versionMismatch, subject: id)))
}
