import Core
import Storage
import Testing

@Suite struct BatchTests {
  @Test(arguments: Backend.allCases) func rowsEventsAndIdempotencyAreCommittedTogether(_ backend: Backend) async throws
  {
    let store = try await Store(backend)
    let record = IdempotencyRecord(
      caller: "ann", method: "Create", requestID: "r1", requestHash: [1], reply: [2], createTime: store.clock.now())
    let receipt = try await store.database.commit(
      Batch([insertNote("a"), insertNote("b")], events: [store.event("a", 1)], idempotency: record), lane: .interactive)
    #expect(receipt.changes == [1, 1])
    #expect(try await store.notes() == ["a", "b"])
    #expect(try await store.count("event") == 1)
    #expect(try await store.count("idempotency") == 1)
  }

  @Test(arguments: Backend.allCases) func aPreconditionThatDoesNotHoldTakesTheWholeBatchBack(_ backend: Backend)
    async throws
  {
    let store = try await Store(backend)
    try await store.commit(insertNote("a"))
    await #expect(throws: StorageError.conflict(BatchConflict(.versionMismatch, subject: "a"))) {
      try await store.commit(
        insertNote("b"), updateNote("a", body: "other", version: 7), events: [store.event("b", 1)])
    }
    #expect(try await store.notes() == ["a"])
    #expect(try await store.count("event") == 0)
    try await store.commit(updateNote("a", body: "other", version: 1))
    let row = try await store.database.row(Statement("SELECT body FROM note"))
    #expect(try row?.text(0) == "other")
  }

  @Test(arguments: Backend.allCases) func aDuplicateIsTheConflictThatTheStatementNames(_ backend: Backend) async throws
  {
    let store = try await Store(backend)
    try await store.commit(insertNote("a"))
    await #expect(throws: StorageError.conflict(BatchConflict(.alreadyExists, subject: "a"))) {
      try await store.commit(insertNote("a"))
    }
  }

  @Test(arguments: Backend.allCases) func anUnexpectedDuplicateNamesItsConstraint(_ backend: Backend) async throws {
    let store = try await Store(backend)
    let insertion = Statement("INSERT INTO note (id, body, version) VALUES ('a', 'b', 1)")
    try await store.commit(insertion)
    let name = backend == .sqlite ? "note.id" : "note_pkey"
    await #expect(throws: StorageError.uniqueViolation(constraint: name)) {
      try await store.commit(insertion)
    }
  }

  @Test(arguments: Backend.allCases) func aSecondEventOfTheSameVersionIsAVersionMismatch(_ backend: Backend)
    async throws
  {
    let store = try await Store(backend)
    try await store.commit(insertNote("a"), events: [store.event("a", 1)])
    await #expect(throws: StorageError.conflict(BatchConflict(.versionMismatch, subject: "a"))) {
      try await store.commit(insertNote("b"), events: [store.event("a", 1)])
    }
    #expect(try await store.notes() == ["a"])
  }

  @Test(arguments: Backend.allCases) func valuesOfAllTypesComeBackAsTheyWere(_ backend: Backend) async throws {
    let store = try await Store(backend)
    let row = try #require(
      try await store.database.row(
        Statement(
          "SELECT ?, ?, ?, ?, ?, ?, ?",
          [
            .null, .integer(.min), .real(1.5), .text(""), .text("张伟\u{1F600}"), .blob([]), .blob([0, 255]),
          ])))
    #expect(try row.optionalText(0) == nil)
    #expect(try row.integer(1) == .min)
    #expect(try row.real(2) == 1.5)
    #expect(try row.text(3) == "")
    #expect(try row.text(4) == "张伟\u{1F600}")
    #expect(try row.blob(5) == [])
    #expect(try row.blob(6) == [0, 255])
    #expect(throws: StorageError.unexpectedValue(column: 1, expected: "TEXT", found: "INTEGER")) { try row.text(1) }
    #expect(throws: StorageError.unexpectedValue(column: 0, expected: "TEXT", found: "NULL")) { try row.text(0) }
    #expect(throws: StorageError.unexpectedValue(column: 7, expected: "a column", found: "7 columns")) {
      try row.value(7)
    }
  }

  @Test(arguments: Backend.allCases) func aListOfParametersIsFilledUpToAPowerOfTwo(_ backend: Backend) async throws {
    let store = try await Store(backend)
    try await store.commit(insertNote("a"), insertNote("b"), insertNote("c"), insertNote("d"))
    let list = try Statement.list([.text("a"), .text("c"), .text("x")])
    #expect(list.sql == "?, ?, ?, ?")
    let found = try await store.database.query(
      Statement("SELECT id FROM note WHERE id IN (\(list.sql)) ORDER BY id", list.parameters), access: .point)
    #expect(try found.map { try $0.text(0) } == ["a", "c"])
    let none = try Statement.list([])
    let nothing = try await store.database.query(
      Statement("SELECT id FROM note WHERE id IN (\(none.sql))", none.parameters), access: .point)
    #expect(nothing.isEmpty)
  }

  @Test(arguments: Backend.allCases) func mistakesInStatementsAreSaid(_ backend: Backend) async throws {
    let store = try await Store(backend)
    for statement in [
      Statement("SELEC 1"), Statement("SELECT ?"), Statement("SELECT 1; SELECT 2"), Statement(""),
      Statement("DELETE FROM note"),
    ] {
      let error = await #expect(throws: StorageError.self) {
        try await store.database.query(statement, access: .point)
      }
      guard case .invalidStatement = error else {
        Issue.record("\(statement.sql): \(String(describing: error))")
        continue
      }
    }
  }
}
