import Core
import Glibc
import Storage
import StorageSQLite
import Testing

@Suite struct BackupTests {
  private let folder = TemporaryFolder()

  private func restore(_ backup: String, to path: String, replacing: Bool = false) throws {
    try SQLiteRestore(backup: backup, to: path).run(
      replacing: replacing, migrations: [TestStore.migration], random: SystemRandom())
  }

  private func mode(_ path: String) -> mode_t {
    var status = stat()
    stat(path, &status)
    return status.st_mode & 0o777
  }

  /// Notes and events of a file that is opened for this.
  private func content(_ path: String) async throws -> (notes: Int64, events: Int64, epoch: String) {
    let database = try SQLiteDatabase(path: path, clock: ManualClock())
    defer { database.close() }
    try await database.migrate([TestStore.migration])
    let log = try await EventLog.open(database, random: SystemRandom())
    let counts = try await database.row(Statement("SELECT (SELECT count(*) FROM note), (SELECT count(*) FROM event)"))
    return (try counts?.integer(0) ?? -1, try counts?.integer(1) ?? -1, log.epoch)
  }

  @Test(.timeLimit(.minutes(20))) func aBackupIsMadeWhileOthersWriteAndIsOneState() async throws {
    let store = try await TestStore()
    let body = String(repeating: "x", count: 3_000)
    for part in 0..<20 {
      let ids = (0..<100).map { "a\(part)-\($0)" }
      try await store.database.commit(
        Batch(ids.map { insertNote($0, body: body) }, events: ids.map { store.event($0, 1) }), lane: .bulk)
    }
    let file = folder.path + "/backup.db"
    let database = store.database
    let size = try await withThrowingTaskGroup(of: Int?.self) { group in
      let clock = store.clock
      group.addTask {
        var number = 0
        while !Task.isCancelled {
          number += 1
          let event = OutboxEvent(
            eventID: "evt_b\(number)", aggregateID: "b\(number)", aggregateVersion: 1, type: "test.Changed",
            effectiveTime: clock.now(), recordedTime: clock.now(), actor: "tester", payload: [])
          let batch = Batch([insertNote("b\(number)", body: body)], events: [event])
          // The end of the backup may meet a write that has not begun.
          do { try await database.commit(batch, lane: .interactive) } catch is CancellationError { break }
        }
        return nil
      }
      group.addTask { try await database.backUp(to: file) }
      var size = 0
      while let next = try await group.next() {
        if let next {
          size = next
          group.cancelAll()
        }
      }
      return size
    }
    #expect(size > 2_000 * 3_000)
    #expect(mode(file) == 0o600)
    #expect(access(file + ".partial", F_OK) != 0)
    let found = try await content(file)
    #expect(found.notes >= 2_000)
    #expect(found.notes == found.events)
    await #expect(throws: StorageError.cannotOpen(path: file, reason: "there is a file already")) {
      try await database.backUp(to: file)
    }
  }

  @Test func aBackupDiskThatIsFullStopsNobodyElse() async throws {
    guard let disk = SmallFileSystem(mebibytes: 1) else {
      return print("skipped: this user may not mount a file system")
    }
    let store = try await TestStore()
    try await store.commit(insertNote("a", body: String(repeating: "x", count: 3_000_000)))
    let file = disk.path + "/backup.db"
    await #expect(throws: StorageError.full(path: file + ".partial")) { try await store.database.backUp(to: file) }
    for name in [file, file + ".partial"] { #expect(access(name, F_OK) != 0) }
    try await store.commit(insertNote("b"))
  }

  @Test func aRestoreHasAnotherEpochAndKeepsWhatItReplaced() async throws {
    let store = try await TestStore()
    let log = try await EventLog.open(store.database, random: SystemRandom())
    try await store.commit(insertNote("a"), events: [store.event("a", 1)])
    let file = folder.path + "/backup.db"
    _ = try await store.database.backUp(to: file)
    try await store.commit(insertNote("b"), events: [store.event("b", 1)])
    #expect(throws: StorageError.self) { try restore(file, to: store.folder.database, replacing: true) }
    store.database.close()
    let refusal = StorageError.cannotOpen(
      path: store.folder.database, reason: "it is not empty; --replace puts the backup in its place")
    #expect(throws: refusal) { try restore(file, to: store.folder.database) }
    try restore(file, to: store.folder.database, replacing: true)
    let restored = try await content(store.folder.database)
    #expect(restored.notes == 1)
    #expect(restored.epoch != log.epoch)
    let replaced = try await content(store.folder.database + ".replaced")
    #expect(replaced.notes == 2)
    #expect(replaced.epoch == log.epoch)
    // The backup is as it was: it can be restored again, into nothing too.
    let fresh = folder.path + "/fresh.db"
    try restore(file, to: fresh)
    let again = try await content(fresh)
    #expect(again.notes == 1)
    #expect(again.epoch != log.epoch && again.epoch != restored.epoch)
  }

  @Test func aDamagedBackupIsRefusedAndNothingReplaced() async throws {
    let store = try await TestStore()
    for number in 0..<200 { try await store.commit(insertNote("n\(number)", body: String(repeating: "x", count: 500))) }
    let file = folder.path + "/backup.db"
    let size = try await store.database.backUp(to: file)
    store.database.close()
    let descriptor = open(file, O_WRONLY)
    let nonsense = [UInt8](repeating: 0x5A, count: 8_192)
    pwrite(descriptor, nonsense, nonsense.count, off_t(size - 8_192))
    close(descriptor)
    let error = #expect(throws: StorageError.self) { try restore(file, to: store.folder.database, replacing: true) }
    guard case .corrupt(file, _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(try await content(store.folder.database).notes == 200)
    #expect(access(store.folder.database + ".restoring", F_OK) != 0)
  }
}
