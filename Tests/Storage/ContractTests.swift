import Core
import Storage
import Testing

/// What a service relies on of its database, whichever it is: batches, conflicts, queries, lines.
@Suite struct ContractTests {
  private func conflict(_ kind: BatchConflict.Kind, _ subject: String = "it") -> BatchConflict {
    BatchConflict(kind, subject: subject)
  }

  @Test(arguments: Backend.allCases) func eachKindOfConflictIsTheOneThatTheStatementNames(_ backend: Backend)
    async throws
  {
    let store = try await Store(backend)
    try await store.commit(insertNote("a"))
    for kind in [BatchConflict.Kind.versionMismatch, .notFound, .preconditionFailed, .repeatedRequest, .alreadyExists] {
      await #expect(throws: StorageError.conflict(conflict(kind))) {
        try await store.commit(
          Statement("UPDATE note SET version = 9 WHERE id = 'none'", expect: .changes(1, orFail: conflict(kind))))
      }
      await #expect(throws: StorageError.conflict(conflict(kind))) {
        try await store.commit(
          Statement("INSERT INTO note (id, body, version) VALUES ('a', '', 1)", expect: .unique(orFail: conflict(kind)))
        )
      }
    }
    #expect(try await store.notes() == ["a"])
  }

  @Test(arguments: Backend.allCases) func moreRowsThanExpectedAreAConflictToo(_ backend: Backend) async throws {
    let store = try await Store(backend)
    try await store.commit(insertNote("a"), insertNote("b"))
    await #expect(throws: StorageError.conflict(conflict(.preconditionFailed))) {
      try await store.commit(
        Statement("DELETE FROM note", expect: .changes(1, orFail: conflict(.preconditionFailed))))
    }
    #expect(try await store.notes() == ["a", "b"])
  }

  @Test(arguments: Backend.allCases) func theFirstPreconditionThatDoesNotHoldIsTold(_ backend: Backend) async throws {
    let store = try await Store(backend)
    try await store.commit(insertNote("a"))
    await #expect(throws: StorageError.conflict(conflict(.alreadyExists, "a"))) {
      try await store.commit(insertNote("b"), insertNote("a"), updateNote("none", body: "", version: 1))
    }
    await #expect(throws: StorageError.conflict(conflict(.versionMismatch, "none"))) {
      try await store.commit(
        insertNote("b"), updateNote("none", body: "", version: 1), updateNote("x", body: "", version: 1))
    }
  }

  @Test(arguments: Backend.allCases) func aRepeatedRequestIsToldBeforeWhatItHasChanged(_ backend: Backend) async throws
  {
    let store = try await Store(backend)
    let record = IdempotencyRecord(
      caller: "c", method: "m", requestID: "r", requestHash: [1], reply: [], createTime: store.clock.now())
    let batch = Batch([insertNote("a")], events: [store.event("a", 1)], idempotency: record)
    try await store.database.commit(batch, lane: .interactive)
    await #expect(throws: StorageError.conflict(conflict(.repeatedRequest, "r"))) {
      try await store.database.commit(batch, lane: .interactive)
    }
    #expect(try await store.count("event") == 1)
  }

  @Test(arguments: Backend.allCases) func aCheckThatFailsTakesTheBatchBack(_ backend: Backend) async throws {
    let store = try await Store(backend)
    for sql in [
      "INSERT INTO log_epoch (\"only\", epoch) VALUES (2, 'x')",
      "INSERT INTO note (id, body, version) VALUES ('n', NULL, 1)",
    ] {
      let error = await #expect(throws: StorageError.self) { try await store.commit(insertNote("b"), Statement(sql)) }
      guard case .constraintViolation = error else {
        Issue.record("\(sql): \(String(describing: error))")
        continue
      }
    }
    #expect(try await store.notes() == [])
  }

  @Test(arguments: Backend.allCases) func aConstraintCheckedAtCommitTakesTheBatchBack(_ backend: Backend) async throws {
    let store = try await Store(backend)
    let tag = Statement("INSERT INTO tag (id, note_id) VALUES ('t', 'n')")
    let error = await #expect(throws: StorageError.self) { try await store.commit(insertNote("b"), tag) }
    guard case .constraintViolation = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    // In the other order than the rows need each other, and with a precondition.
    try await store.commit(
      tag, insertNote("n"), Statement("UPDATE tag SET id = 'u'", expect: .changes(1, orFail: conflict(.notFound))))
    #expect(try await store.notes() == ["n"])
    #expect(try await store.count("tag") == 1)
  }

  @Test(arguments: Backend.allCases) func aReceiptCountsTheRowsOfEachStatement(_ backend: Backend) async throws {
    let store = try await Store(backend)
    let receipt = try await store.commit(
      Statement("INSERT INTO note (id, body, version) VALUES ('a', '', 1), ('b', '', 1), ('c', '', 1)"),
      Statement("UPDATE note SET version = 2 WHERE id > 'a'"), Statement("DELETE FROM note WHERE id = 'none'"),
      Statement("INSERT INTO note (id, body, version) VALUES ('a', '', 1) ON CONFLICT DO NOTHING"),
      Statement(
        "INSERT INTO note (id, body, version) VALUES ('a', 'new', 1) ON CONFLICT (id) DO UPDATE SET body = excluded.body"
      ),
      Statement("DELETE FROM note WHERE id IN (SELECT id FROM note ORDER BY id LIMIT 2)"), events: [store.event("a", 1)]
    )
    #expect(receipt.changes == [3, 2, 0, 0, 1, 2])
    #expect(try await store.notes() == ["c"])
  }

  @Test(arguments: Backend.allCases) func aStatementSeesWhatThoseBeforeItHaveWritten(_ backend: Backend) async throws {
    let store = try await Store(backend)
    try await store.commit(
      insertNote("a"),
      Statement("INSERT INTO note (id, body, version) SELECT 'b', body, version + 1 FROM note WHERE id = 'a'"),
      Statement("UPDATE note SET body = (SELECT max(id) FROM note) WHERE id = 'a'"))
    let row = try await store.database.row(Statement("SELECT body FROM note WHERE id = 'a'"))
    #expect(try row?.text(0) == "b")
  }

  @Test(arguments: Backend.allCases) func anEmptyBatchIsCommitted(_ backend: Backend) async throws {
    let store = try await Store(backend)
    #expect(try await store.commit().changes == [])
  }

  @Test(arguments: Backend.allCases) func aBatchOfThousandsOfStatementsIsOne(_ backend: Backend) async throws {
    let store = try await Store(backend)
    let statements = (0..<5_000).map { insertNote("n\($0)", body: String(repeating: "x", count: 300)) }
    let receipt = try await store.database.commit(Batch(statements), lane: .bulk)
    #expect(receipt.changes.count == 5_000)
    #expect(try await store.count("note") == 5_000)
    // The last one fails, and takes all back.
    let others = (5_000..<9_000).map { insertNote("n\($0)") } + [insertNote("n1")]
    await #expect(throws: StorageError.conflict(conflict(.alreadyExists, "n1"))) {
      try await store.database.commit(Batch(others), lane: .bulk)
    }
    #expect(try await store.count("note") == 5_000)
  }

  @Test(arguments: Backend.allCases) func aBatchOrAListOverItsLimitIsRefused(_ backend: Backend) async throws {
    let store = try await Store(backend)
    let statements = Array(repeating: insertNote("a"), count: Batch.maximumStatements + 1)
    await #expect(throws: StorageError.batchTooLarge(statements: 65_537, limit: 65_536)) {
      try await store.database.commit(Batch(statements), lane: .bulk)
    }
    let many = [SQLValue](repeating: .integer(1), count: 32_001)
    let marks = many.map { _ in "?" }.joined(separator: ", ")
    let error = await #expect(throws: StorageError.self) {
      try await store.database.query(
        Statement("SELECT count(*) FROM note WHERE version IN (\(marks))", many), access: .scan)
    }
    guard case .invalidStatement = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test(arguments: Backend.allCases) func ofWritersWithTheSameVersionOneGoesThrough(_ backend: Backend) async throws {
    let store = try await Store(backend)
    try await store.commit(insertNote("a"))
    let won = await withTaskGroup(of: Int.self) { group in
      for writer in 0..<20 {
        group.addTask {
          var won = 0
          for version in 1...10 as ClosedRange<Int64> {
            do {
              try await store.commit(updateNote("a", body: "\(writer)", version: version))
              won += 1
            } catch StorageError.conflict {} catch { Issue.record(error) }
          }
          return won
        }
      }
      return await group.reduce(0, +)
    }
    let version = try await store.database.row(Statement("SELECT version FROM note"))?.integer(0)
    #expect(version == Int64(won) + 1)
    #expect(won >= 1)
  }

  @Test(arguments: Backend.allCases) func ofEqualKeysOneIsInserted(_ backend: Backend) async throws {
    let store = try await Store(backend)
    let inserted = await withTaskGroup(of: Bool.self) { group in
      for number in 0..<30 {
        group.addTask { (try? await store.commit(insertNote("x\(number)"), insertNote("same"))) != nil }
      }
      return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
    }
    #expect(inserted == 1)
    #expect(try await store.count("note") == 2)
  }

  /// Rows in opposite order: where each waits for the other, one is begun anew.
  @Test(arguments: Backend.allCases) func writersThatMeetCrosswiseAllGoThrough(_ backend: Backend) async throws {
    let store = try await Store(backend)
    let ids = (0..<6).map { "n\($0)" }
    for id in ids { try await store.commit(insertNote(id)) }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for writer in 0..<12 {
        let order = writer % 2 == 0 ? ids : ids.reversed()
        group.addTask {
          try await store.database.commit(
            Batch(order.map { Statement("UPDATE note SET version = version + 1 WHERE id = ?", [.text($0)]) }),
            lane: .interactive)
        }
      }
      try await group.waitForAll()
    }
    let sum = try await store.database.row(Statement("SELECT sum(version) FROM note"))
    #expect(try sum?.integer(0) == 6 + 6 * 12)
  }

  @Test(arguments: Backend.allCases) func aBatchThatFailsTakesOnlyItselfBack(_ backend: Backend) async throws {
    let store = try await Store(backend)
    try await store.commit(insertNote("n0"))
    let committed = await withTaskGroup(of: Bool.self) { group in
      for number in 0..<200 {
        group.addTask {
          let second = insertNote(number % 10 == 3 ? "n0" : "y\(number)")
          return (try? await store.commit(insertNote("x\(number)"), second)) != nil
        }
      }
      return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
    }
    #expect(committed == 180)
    #expect(try await store.count("note") == 1 + 180 * 2)
  }

  @Test(arguments: Backend.allCases) func aCallerThatIsGoneBeforeItsBatchStartsLeavesNothing(_ backend: Backend)
    async throws
  {
    let store = try await Store(backend)
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        await #expect(throws: CancellationError.self) { try await store.commit(insertNote("never")) }
      }
      group.cancelAll()
    }
    #expect(try await store.notes() == [])
  }

  @Test(arguments: Backend.allCases) func aFullLineRefusesAtOnceAndWritesNothing(_ backend: Backend) async throws {
    let store = try await Store(backend, bulkQueue: 1)
    let results = await withTaskGroup(of: StorageError?.self) { group in
      for number in 0..<200 {
        group.addTask {
          do {
            try await store.commit(insertNote("n\(number)"), lane: .bulk)
            return nil
          } catch { return error as? StorageError ?? .closed }
        }
      }
      return await group.reduce(into: []) { $0.append($1) }
    }
    let refused = results.compactMap { $0 }
    #expect(!refused.isEmpty)
    #expect(refused.allSatisfy { $0 == .overloaded(queue: "bulk writes", limit: 1) })
    #expect(try await store.count("note") == Int64(results.count - refused.count))
  }

  @Test(arguments: Backend.allCases) func bulkAndInteractiveBatchesAllGoThrough(_ backend: Backend) async throws {
    let store = try await Store(backend)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in 0..<320 {
        let lane = number % 16 == 0 ? WriteLane.bulk : .interactive
        group.addTask { try await store.commit(insertNote("n\(number)"), lane: lane) }
      }
      try await group.waitForAll()
    }
    #expect(try await store.count("note") == 320)
  }

  @Test(arguments: Backend.allCases) func aClosedDatabaseRefusesAndHoldsWhatWasCommitted(_ backend: Backend)
    async throws
  {
    let store = try await Store(backend)
    try await store.commit(insertNote("a"))
    store.database.close()
    store.database.close()
    await #expect(throws: StorageError.closed) { try await store.commit(insertNote("b")) }
    await #expect(throws: StorageError.closed) { try await store.notes() }
    let again = try await store.reopen()
    try await again.migrate([TestStore.migration])
    let count = try await again.row(Statement("SELECT count(*) FROM note"))
    #expect(try count?.integer(0) == 1)
    again.close()
  }

  @Test(arguments: Backend.allCases) func whatIsCommittedIsSeenByTheNextReadOfEitherKind(_ backend: Backend)
    async throws
  {
    let store = try await Store(backend)
    for number in 1...30 {
      try await store.commit(insertNote("n\(number)"))
      #expect(try await store.count("note") == Int64(number))
      #expect(try await store.notes().count == number)
    }
  }

  @Test(arguments: Backend.allCases) func queriesHaveALimitOfRows(_ backend: Backend) async throws {
    let store = try await Store(backend, rows: (point: 2, scan: 3))
    try await store.commit(insertNote("a"), insertNote("b"), insertNote("c"))
    await #expect(throws: StorageError.tooManyRows(limit: 2)) {
      try await store.database.query(Statement("SELECT id FROM note"), access: .point)
    }
    #expect(try await store.notes() == ["a", "b", "c"])
    try await store.commit(insertNote("d"))
    await #expect(throws: StorageError.tooManyRows(limit: 3)) { try await store.notes() }
    let two = try await store.database.query(Statement("SELECT id FROM note ORDER BY id DESC LIMIT 2"), access: .point)
    #expect(try two.map { try $0.text(0) } == ["d", "c"])
  }

  @Test(arguments: Backend.allCases) func aQueryMustNotWrite(_ backend: Backend) async throws {
    let store = try await Store(backend)
    try await store.commit(insertNote("a"))
    for sql in [
      "INSERT INTO note (id, body, version) VALUES ('x', '', 1)", "UPDATE note SET version = 2", "DELETE FROM note",
      "DELETE FROM note RETURNING id", "CREATE TABLE mine (id INTEGER)", "DROP TABLE note",
    ] {
      for access in [ReadAccess.point, .scan] {
        let error = await #expect(throws: StorageError.self) {
          try await store.database.query(Statement(sql), access: access)
        }
        guard case .invalidStatement = error else {
          Issue.record("\(sql): \(String(describing: error))")
          continue
        }
      }
    }
    #expect(try await store.notes() == ["a"])
  }

  @Test(arguments: Backend.allCases) func whatIsWrongInABatchIsSaid(_ backend: Backend) async throws {
    let store = try await Store(backend)
    for statement in [
      Statement("INSRT INTO note"), Statement("INSERT INTO missing (id) VALUES (1)"), Statement(""),
      Statement("INSERT INTO note (id, body, version) VALUES (?, ?, 1)", [.text("a")]),
      Statement("DELETE FROM note; DELETE FROM tag"),
    ] {
      let error = await #expect(throws: StorageError.self) { try await store.commit(insertNote("a"), statement) }
      guard case .invalidStatement = error else {
        Issue.record("\(statement.sql): \(String(describing: error))")
        continue
      }
    }
    #expect(try await store.notes() == [])
  }

  @Test(arguments: Backend.allCases) func moreStatementsThanTheCacheHoldsAreServed(_ backend: Backend) async throws {
    let store = try await Store(backend)
    for round in 0..<2 {
      for number in 0..<200 {
        let row = try await store.database.row(Statement("SELECT \(number), CAST(? AS TEXT)", [.text("r\(round)")]))
        #expect(try row?.integer(0) == Int64(number))
        #expect(try row?.text(1) == "r\(round)")
      }
    }
    // In one batch more than there is room for, twice each.
    let statements = (0..<300).map {
      Statement("INSERT INTO note (id, body, version) VALUES (?, '\($0 % 150)', 1)", [.text("n\($0)")])
    }
    try await store.database.commit(Batch(statements), lane: .interactive)
    #expect(try await store.count("note") == 300)
  }

  @Test(arguments: Backend.allCases) func committedEventsAreSignalledAndOthersAreNot(_ backend: Backend) async throws {
    let store = try await Store(backend)
    let before = store.database.committedEvents.count
    try await store.commit(insertNote("a"))
    #expect(store.database.committedEvents.count == before)
    _ = try? await store.commit(insertNote("a"), events: [store.event("a", 1)])
    #expect(store.database.committedEvents.count == before)
    try await store.commit(insertNote("b"), events: [store.event("b", 1)])
    #expect(store.database.committedEvents.count == before + 1)
  }

  @Test(.timeLimit(.minutes(10)), arguments: Backend.allCases)
  func aScanThatNobodyWaitsForStops(_ backend: Backend) async throws {
    let store = try await Store(backend)
    try await store.commit(insertNote("a"))
    let endless = Statement(
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT 1 FROM n) SELECT count(*) FROM n")
    // More than there are connections, so that some wait.
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<4 {
        group.addTask {
          await #expect(throws: CancellationError.self) { try await store.database.query(endless, access: .scan) }
        }
      }
      #expect(await (try? store.count("note")) == 1)
      group.cancelAll()
    }
    #expect(try await store.notes() == ["a"])
  }

  @Test(arguments: Backend.allCases) func theWordsOfBothDialectsMeanTheSame(_ backend: Backend) async throws {
    let store = try await Store(backend)
    try await store.commit(insertNote("a", body: "1"), insertNote("b", body: "1"), insertNote("c", body: "2"))
    let ranked = try await store.database.query(
      Statement(
        """
        SELECT body, count(*), row_number() OVER (ORDER BY count(*) DESC), coalesce(max(CASE WHEN id = 'b' THEN 1 END), 0)
        FROM note GROUP BY body ORDER BY 2 DESC
        """), access: .scan)
    #expect(try ranked.map { try $0.text(0) } == ["1", "2"])
    #expect(try ranked.map { try $0.integer(1) } == [2, 1])
    #expect(try ranked.map { try $0.integer(2) } == [1, 2])
    #expect(try ranked.map { try $0.integer(3) } == [1, 0])
    let pairs = try await store.database.query(
      Statement(
        "SELECT id FROM note WHERE (id, body) > (?, ?) AND EXISTS (SELECT 1 FROM note AS other WHERE other.id < note.id) ORDER BY id",
        [.text("a"), .text("1")]), access: .point)
    #expect(try pairs.map { try $0.text(0) } == ["b", "c"])
  }
}
