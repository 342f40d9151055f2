import Core
import Storage
import StorageSQLite
import Testing

/// Disks that fail, fill up or are read for too long, and clocks that go backwards.
@Suite struct FaultTests {
  private func errors(_ store: TestStore, _ ids: [String]) async -> [StorageError?] {
    await withTaskGroup(of: StorageError?.self) { group in
      for id in ids {
        group.addTask {
          do {
            try await store.commit(insertNote(id), events: [store.event(id, 1)])
            return nil
          } catch { return error as? StorageError ?? .closed }
        }
      }
      return await group.reduce(into: []) { $0.append($1) }
    }
  }

  /// What a start finds after power was lost.
  private func salvaged(_ disk: CrashDisk, _ body: (SQLiteDatabase) async throws -> Void) async throws {
    for seed in 1...12 as ClosedRange<UInt64> {
      let folder = TemporaryFolder()
      #expect(disk.salvage(into: folder.path, seed: seed) == 0)
      let database = try SQLiteDatabase(path: folder.database, clock: ManualClock())
      defer { database.close() }
      try await body(database)
    }
  }

  private func isInputOutput(_ error: StorageError?) -> Bool {
    if case .inputOutput = error { true } else { false }
  }

  @Test(arguments: [true, false]) func aDiskThatFailsStopsTheWriterForGood(isSync: Bool) async throws {
    let disk = CrashDisk()
    let store = try await TestStore(limits: disk.limits())
    #expect(await errors(store, (0..<50).map { "a\($0)" }).allSatisfy { $0 == nil })
    if isSync { disk.failSyncs(after: 0) } else { disk.failWrites(after: 0) }
    let failed = await errors(store, (0..<50).map { "b\($0)" })
    #expect(failed.allSatisfy(isInputOutput))
    // The disk works again, but nobody knows what it has dropped: only opening anew finds out.
    disk.failSyncs(after: -1)
    disk.failWrites(after: -1)
    #expect(await errors(store, ["c"]).allSatisfy(isInputOutput))
    #expect(try await store.notes().filter { $0.hasPrefix("a") }.count == 50)
    store.database.close()
    try await salvaged(disk) { database in
      let rows = try await database.query(Statement("SELECT id FROM note"), access: .scan)
      let ids = Set(try rows.map { try $0.text(0) })
      #expect(ids.isSuperset(of: (0..<50).map { "a\($0)" }))
      let events = try await database.query(Statement("SELECT aggregate_id FROM event"), access: .scan)
      #expect(Set(try events.map { try $0.text(0) }) == ids)
      try await database.commit(Batch([insertNote("later")]), lane: .interactive)
    }
  }

  @Test func aWriteInTheMiddleOfAGroupThatFailsTakesAllOfItAlong() async throws {
    for writes in 0..<12 as Range<Int64> {
      let disk = CrashDisk()
      let store = try await TestStore(limits: disk.limits())
      try await store.commit(insertNote("a"))
      disk.failWrites(after: writes)
      // Larger than the page cache, so that it is written before its commit.
      let body = String(repeating: "x", count: 300_000)
      await #expect(throws: StorageError.self) { try await store.commit(insertNote("b", body: body)) }
      disk.failWrites(after: -1)
      #expect(try await store.notes() == ["a"])
      store.database.close()
      try await salvaged(disk) { database in
        let rows = try await database.query(Statement("SELECT id FROM note"), access: .scan)
        #expect(try rows.map { try $0.text(0) } == ["a"])
      }
    }
  }

  @Test func aFullDiskRefusesAndLosesNothingAndWorksAgainWhenThereIsRoom() async throws {
    let disk = CrashDisk()
    let store = try await TestStore(limits: disk.limits())
    disk.limit(bytes: disk.usedBytes + 200_000)
    var written: [String] = []
    var refused = 0
    for number in 0..<200 {
      let id = "n\(1_000 + number)"
      do {
        try await store.commit(
          insertNote(id, body: String(repeating: "x", count: 5_000)), events: [store.event(id, 1)])
        written.append(id)
      } catch StorageError.full(let path) {
        #expect(path == store.folder.database)
        refused += 1
      }
    }
    #expect(refused > 0)
    #expect(!written.isEmpty)
    #expect(try await store.notes() == written)
    #expect(try await store.count("event") == Int64(written.count))
    disk.limit(bytes: -1)
    try await store.commit(insertNote("z"))
    #expect(try await store.notes() == written + ["z"])
  }

  @Test func aPageThatCannotBeReadIsAnErrorAndNoWrongAnswer() async throws {
    let disk = CrashDisk()
    let store = try await TestStore(limits: disk.limits())
    for number in 0..<40 {
      try await store.commit(insertNote("n\(number)", body: String(repeating: "x", count: 3_000)))
    }
    store.database.close()
    let again = try SQLiteDatabase(path: store.folder.database, clock: store.clock, limits: disk.limits())
    defer { again.close() }
    disk.failReads(true)
    let error = await #expect(throws: StorageError.self) {
      try await again.query(Statement("SELECT max(body) FROM note"), access: .scan)
    }
    #expect(isInputOutput(error))
    disk.failReads(false)
    let rows = try await again.query(Statement("SELECT count(*) FROM note"), access: .scan)
    #expect(try rows[0].integer(0) == 40)
  }

  @Test(.timeLimit(.minutes(20))) func theWALStaysBoundedWhileSomebodyReadsForLong() async throws {
    let disk = CrashDisk()
    var limits = disk.limits()
    limits.maximumWALPages = 120
    limits.scanSteps = .max
    let store = try await TestStore(limits: limits)
    try await store.commit(insertNote("a"))
    let (started, database) = (AsyncSignal(), store.database)
    let scanned: StorageError? = try await withThrowingTaskGroup(of: StorageError?.self) { group in
      group.addTask {
        started.raise()
        do {
          let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM note, n"
          _ = try await database.query(Statement(endless), access: .scan)
          return nil
        } catch { return error as? StorageError }
      }
      try await started.wait(after: 0)
      var pages = 0
      for number in 0..<2_000 {
        do {
          try await store.commit(insertNote("n\(number)", body: String(repeating: "x", count: 2_000)))
        } catch StorageError.overloaded(queue: "the write-ahead log", limit: 120) {}
        pages = max(pages, database.statistics.walPages)
      }
      #expect(pages < 120 + 30)
      return try await group.next() ?? nil
    }
    #expect(scanned == .overloaded(queue: "the write-ahead log", limit: 120))
    try await store.commit(insertNote("z"))
  }

  @Test func aClockThatGoesBackwardsKeepsTheOrderAndNoLease() async throws {
    let store = try await TestStore()
    let log = try await EventLog.open(store.database, random: SystemRandom())
    let old = Sequencer(database: store.database, log: log, holder: "old", clock: store.clock)
    try await store.commit(events: [store.event("b", 1)])
    #expect(try await old.step() == .numbered(1))
    store.clock.advance(seconds: -3_600)
    try await store.commit(events: [store.event("a", 1)])
    // The one that held the lease is gone; by its clock the lease would last another hour.
    let fresh = Sequencer(database: store.database, log: log, holder: "fresh", clock: store.clock)
    #expect(try await fresh.step() == .numbered(1))
    try await store.commit(events: [store.event("b", 2)])
    #expect(try await old.step() == .heldByOther)
    #expect(try await fresh.step() == .numbered(1))
    let events = try await log.read(after: log.beginning).events
    #expect(events.map(\.position) == [1, 2, 3])
    #expect(events.map(\.event.aggregateID) == ["b", "a", "b"])
  }
}
