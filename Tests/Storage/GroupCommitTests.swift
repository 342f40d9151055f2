import Core
import Storage
import StorageSQLite
import Testing

@Suite struct GroupCommitTests {
  /// Commits all at once and tells how many went through.
  private func commitAll(_ store: TestStore, _ batches: [Batch], lane: WriteLane = .interactive) async -> Int {
    await withTaskGroup(of: Bool.self) { group in
      for batch in batches {
        group.addTask { (try? await store.database.commit(batch, lane: lane)) != nil }
      }
      return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
    }
  }

  @Test func batchesThatWaitTogetherShareATransaction() async throws {
    let store = try await TestStore()
    let before = store.database.statistics
    let batches = (0..<400).map { Batch([insertNote("n\($0)")]) }
    #expect(await commitAll(store, batches) == 400)
    let after = store.database.statistics
    #expect(after.batches - before.batches == 400)
    #expect(after.transactions - before.transactions < 200)
    #expect(try await store.count("note") == 400)
  }

  @Test func aFailingBatchLeavesTheOthersOfItsGroupCommitted() async throws {
    let store = try await TestStore()
    try await store.commit(insertNote("n0"))
    let batches = (0..<200).map { Batch([insertNote("x\($0)"), insertNote($0 % 10 == 3 ? "n0" : "y\($0)")]) }
    #expect(await commitAll(store, batches) == 180)
    #expect(try await store.count("note") == 1 + 180 * 2)
    #expect(store.database.statistics.failedBatches == 20)
  }

  @Test func anErrorThatEndsTheTransactionMakesTheOthersRunAgain() async throws {
    let store = try await TestStore()
    try await store.commit(insertNote("n0"))
    // OR ROLLBACK ends the whole transaction, as a full disk or an I/O error may.
    let batches = (0..<200).map { number in
      let breaking = Statement(
        "INSERT OR ROLLBACK INTO note (id, body, version) VALUES (?, 'b', 1)",
        [.text(number % 20 == 7 ? "n0" : "y\(number)")])
      return Batch([insertNote("x\(number)"), breaking])
    }
    #expect(await commitAll(store, batches) == 190)
    #expect(try await store.count("note") == 1 + 190 * 2)
  }

  @Test func aConstraintCheckedAtCommitFailsOnlyTheBatchThatBreaksIt() async throws {
    let store = try await TestStore()
    let batches = (0..<200).map { number in
      let note = number % 20 == 7 ? "missing" : "n\(number)"
      return Batch([
        Statement("INSERT INTO tag (id, note_id) VALUES (?, ?)", [.text("t\(number)"), .text(note)]),
        insertNote("n\(number)"),
      ])
    }
    #expect(await commitAll(store, batches) == 190)
    #expect(try await store.count("tag") == 190)
    #expect(try await store.count("note") == 190)
  }

  @Test func aFullDatabaseFailsTheBatchAndKeepsWhatWasCommitted() async throws {
    var limits = SQLiteLimits()
    limits.databasePages = 60
    let store = try await TestStore(limits: limits)
    try await store.commit(insertNote("a"))
    await #expect(throws: StorageError.full(path: store.folder.database)) {
      try await store.commit(insertNote("b", body: String(repeating: "x", count: 1_000_000)))
    }
    try await store.commit(insertNote("c"))
    #expect(try await store.notes() == ["a", "c"])
  }

  @Test func aCancelledCallerLeavesNothing() async throws {
    let store = try await TestStore()
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        await #expect(throws: CancellationError.self) { try await store.commit(insertNote("never")) }
      }
      group.cancelAll()
    }
    #expect(try await store.notes() == [])
  }

  @Test func aBulkBatchGoesThroughBetweenInteractiveOnes() async throws {
    let store = try await TestStore()
    let bulk = (0..<20).map { Batch([insertNote("bulk\($0)")]) }
    let interactive = (0..<300).map { Batch([insertNote("i\($0)")]) }
    async let first = commitAll(store, bulk, lane: .bulk)
    async let second = commitAll(store, interactive)
    #expect(await first == 20)
    #expect(await second == 300)
  }

  @Test func aBatchOverTheLimitIsRefused() async throws {
    let store = try await TestStore()
    let statements = Array(repeating: insertNote("a"), count: Batch.maximumStatements + 1)
    await #expect(throws: StorageError.batchTooLarge(statements: 65_537, limit: 65_536)) {
      try await store.database.commit(Batch(statements), lane: .bulk)
    }
  }

  @Test func aClosedDatabaseRefusesAndKeepsWhatWasAccepted() async throws {
    let store = try await TestStore()
    try await store.commit(insertNote("a"))
    store.database.close()
    await #expect(throws: StorageError.closed) { try await store.commit(insertNote("b")) }
    await #expect(throws: StorageError.closed) { try await store.notes() }
    let again = try SQLiteDatabase(path: store.folder.database, clock: store.clock)
    let count = try await again.row(Statement("SELECT count(*) FROM note"))
    #expect(try count?.integer(0) == 1)
  }
}
