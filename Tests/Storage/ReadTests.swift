import Core
import Storage
import StorageSQLite
import Testing

/// Counts to a number: a query as long as one likes.
private func counting(to limit: Int64) -> Statement {
  Statement(
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT count(*) FROM n",
    [.integer(limit)])
}

@Suite struct ReadTests {
  @Test func aPointQueryThatRunsAwayIsStopped() async throws {
    let store = try await TestStore()
    await #expect(throws: StorageError.queryTooExpensive(steps: 250_000)) {
      try await store.database.query(counting(to: 1_000_000), access: .point)
    }
    // The connection is good for the next one.
    #expect(try await store.database.query(counting(to: 10), access: .point).first?.integer(0) == 10)
  }

  @Test func aScanMayTakeLonger() async throws {
    let store = try await TestStore()
    #expect(try await store.database.query(counting(to: 1_000_000), access: .scan).first?.integer(0) == 1_000_000)
  }

  @Test func rowsAreLimited() async throws {
    var limits = SQLiteLimits()
    limits.pointRows = 2
    limits.scanRows = 3
    let store = try await TestStore(limits: limits)
    try await store.commit(insertNote("a"), insertNote("b"), insertNote("c"))
    await #expect(throws: StorageError.tooManyRows(limit: 2)) {
      try await store.database.query(Statement("SELECT id FROM note"), access: .point)
    }
    #expect(try await store.notes().count == 3)
  }

  @Test(.timeLimit(.minutes(10))) func aCancelledScanStopsWhileOthersRead() async throws {
    let store = try await TestStore()
    try await store.commit(insertNote("a"))
    // No end, so that only the cancellation can stop it; as many as there are threads, and one that waits.
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<3 {
        group.addTask {
          await #expect(throws: CancellationError.self) {
            try await store.database.query(counting(to: .max), access: .scan)
          }
        }
      }
      #expect(await (try? store.count("note")) == 1)
      group.cancelAll()
    }
    #expect(try await store.notes() == ["a"])
  }

  @Test func aCommittedRowIsSeenByTheNextRead() async throws {
    let store = try await TestStore()
    for number in 0..<50 {
      try await store.commit(insertNote("n\(number)"))
      #expect(try await store.count("note") == Int64(number + 1))
    }
  }

  @Test func checkpointsUnderLoadLoseNothing() async throws {
    var limits = SQLiteLimits()
    limits.finishedCheckpointPages = 20
    limits.checkpointPages = 5
    let store = try await TestStore(limits: limits)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in 0..<300 {
        group.addTask { try await store.commit(insertNote("n\(number)", body: String(repeating: "x", count: 2_000))) }
      }
      try await group.waitForAll()
    }
    #expect(store.database.statistics.checkpoints > 0)
    #expect(try await store.count("note") == 300)
  }
}
