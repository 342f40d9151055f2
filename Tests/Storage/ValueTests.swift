import Core
import Storage
import Testing

/// A table with a column of each type, which may all be NULL.
private let shelf = Migration(
  version: 2, name: "shelf",
  statements: [
    "CREATE TABLE shelf (id TEXT PRIMARY KEY NOT NULL, number INTEGER, share REAL, name TEXT, bytes BLOB) STRICT"
  ])

@Suite struct ValueTests {
  private func open(_ backend: Backend) async throws -> Store {
    let store = try await Store(backend)
    try await store.database.migrate([TestStore.migration, shelf])
    return store
  }

  private func put(_ id: String, _ values: SQLValue...) -> Statement {
    Statement("INSERT INTO shelf (id, number, share, name, bytes) VALUES (?, ?, ?, ?, ?)", [.text(id)] + values)
  }

  private func row(_ store: Store, _ id: String) async throws -> Row {
    try #require(
      try await store.database.row(
        Statement("SELECT number, share, name, bytes FROM shelf WHERE id = ?", [.text(id)])))
  }

  @Test(arguments: Backend.allCases) func wholeNumbersComeBackFromEndToEnd(_ backend: Backend) async throws {
    let store = try await open(backend)
    for number in [Int64.min, -1, 0, 1, 1 << 53 + 1, .max] {
      try await store.commit(put("\(number)", .integer(number), .null, .null, .null))
      #expect(try await row(store, "\(number)").integer(0) == number)
    }
  }

  @Test(arguments: Backend.allCases) func realNumbersComeBackBitByBit(_ backend: Backend) async throws {
    let store = try await open(backend)
    for number in [0.1, -1.5, .leastNonzeroMagnitude, .greatestFiniteMagnitude, .infinity, -.infinity] {
      try await store.commit(put("\(number)", .null, .real(number), .null, .null))
      #expect(try await row(store, "\(number)").real(1) == number)
    }
  }

  @Test(arguments: Backend.allCases) func aWholeNumberMayStandForARealOne(_ backend: Backend) async throws {
    let store = try await open(backend)
    try await store.commit(put("a", .null, .integer(3), .null, .null))
    try await store.commit(put("b", .null, .real(2.5), .null, .null))
    #expect(try await row(store, "a").real(1) == 3)
    #expect(try await row(store, "b").real(1) == 2.5)
  }

  @Test(arguments: Backend.allCases) func textsOfAllScriptsComeBack(_ backend: Backend) async throws {
    let store = try await open(backend)
    for (index, text) in ["", " ", "Zürich", "中国人寿", "e\u{301}", "\u{1F468}\u{200D}\u{1F469}", "a\nb\t\"'\\%_"]
      .enumerated()
    {
      try await store.commit(put("\(index)", .null, .null, .text(text), .null))
      #expect(Array(try await row(store, "\(index)").text(2).utf8) == Array(text.utf8))
    }
  }

  @Test(arguments: Backend.allCases) func bytesOfAllValuesComeBack(_ backend: Backend) async throws {
    let store = try await open(backend)
    try await store.commit(put("all", .null, .null, .null, .blob(Array(0...255))))
    try await store.commit(put("none", .null, .null, .null, .blob([])))
    #expect(try await row(store, "all").blob(3) == Array(0...255))
    #expect(try await row(store, "none").optionalBlob(3) == [])
  }

  @Test(arguments: Backend.allCases) func nullsOfAllTypesComeBack(_ backend: Backend) async throws {
    let store = try await open(backend)
    try await store.commit(put("a", .null, .null, .null, .null))
    let row = try await row(store, "a")
    for column in 0..<4 { #expect(try row.value(column) == .null) }
  }

  /// A NULL tells no type, so a statement that came with one first must still take values, and the other way round.
  @Test(arguments: Backend.allCases) func oneStatementTakesNullsAndValuesInTurns(_ backend: Backend) async throws {
    let store = try await open(backend)
    let values: [SQLValue] = [.integer(7), .real(0.5), .text("x"), .blob([1])]
    for turn in 0..<12 {
      let some = (0..<4).map { (turn >> $0) & 1 == 1 || turn == 11 ? values[$0] : .null }
      try await store.commit(put("\(turn)", some[0], some[1], some[2], some[3]))
      let row = try await row(store, "\(turn)")
      #expect(try (0..<4).map { try row.value($0) } == some)
    }
  }

  @Test(arguments: Backend.allCases) func manyRowsOfOneStatementMayHoldNullsAnywhere(_ backend: Backend) async throws {
    let store = try await open(backend)
    let statement = Statement(
      "INSERT INTO shelf (id, number, name) VALUES (?, ?, ?), (?, ?, ?)",
      [.text("a"), .null, .text("x"), .text("b"), .integer(2), .null])
    #expect(try await store.commit(statement).changes == [2])
    #expect(try await row(store, "a").optionalInteger(0) == nil)
    #expect(try await row(store, "b").integer(0) == 2)
  }

  @Test(arguments: Backend.allCases) func aNulInATextIsRefused(_ backend: Backend) async throws {
    let store = try await open(backend)
    await #expect(throws: StorageError.invalidText) {
      try await store.commit(put("a", .null, .null, .text("a\u{0}b"), .null))
    }
    await #expect(throws: StorageError.invalidText) {
      try await store.database.row(Statement("SELECT id FROM shelf WHERE id = ?", [.text("\u{0}")]))
    }
    #expect(try await store.count("shelf") == 0)
  }

  @Test(arguments: Backend.allCases) func valuesOfManyMegabytesComeBack(_ backend: Backend) async throws {
    let store = try await open(backend)
    let text = String(repeating: "保险", count: 500_000)
    let bytes = (0..<10_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    try await store.commit(put("a", .null, .null, .text(text), .blob(bytes)))
    let row = try await row(store, "a")
    let isText = try row.text(2) == text
    let isBytes = try row.blob(3) == bytes
    #expect(isText)
    #expect(isBytes)
  }

  @Test(arguments: Backend.allCases) func aValueOverTheLimitIsRefused(_ backend: Backend) async throws {
    let store = try await open(backend)
    await #expect(throws: StorageError.valueTooLarge) {
      try await store.commit(put("a", .null, .null, .null, .blob([UInt8](repeating: 1, count: 16 << 20 + 1))))
    }
    #expect(try await store.count("shelf") == 0)
  }

  /// Expected: the order of the UTF-8 bytes, which is that of the code points.
  @Test(arguments: Backend.allCases) func textsAreInTheOrderOfTheirBytes(_ backend: Backend) async throws {
    let store = try await open(backend)
    let inOrder = ["", " b", "10", "9", "B", "Z", "_", "a", "a b", "ab", "b", "é", "一", "张", "ｂ", "\u{1F600}"]
    for id in inOrder.reversed() { try await store.commit(put(id, .null, .null, .text(id), .null)) }
    let found = try await store.database.query(Statement("SELECT id FROM shelf ORDER BY id"), access: .scan)
    #expect(try found.map { try $0.text(0) } == inOrder)
    let byName = try await store.database.query(
      Statement("SELECT name FROM shelf WHERE name > ? AND name <= ? ORDER BY name DESC", [.text("Z"), .text("é")]),
      access: .scan)
    #expect(try byName.map { try $0.text(0) } == ["é", "b", "ab", "a b", "a", "_"])
    let last = try await store.database.row(Statement("SELECT max(name), min(name) FROM shelf"))
    #expect(try last?.text(0) == "\u{1F600}")
    #expect(try last?.text(1) == "")
  }

  @Test(arguments: Backend.allCases) func sumsAndComparisonsAreNumbers(_ backend: Backend) async throws {
    let store = try await open(backend)
    let huge: Int64 = 4_000_000_000_000_000_000
    try await store.commit(
      put("a", .integer(huge), .real(0.5), .null, .null), put("b", .integer(-1), .real(1.25), .null, .null))
    let row = try #require(
      try await store.database.row(
        Statement(
          """
          SELECT sum(number), count(*), sum(share), max(number) > min(number), min(number) > 5, sum(number) FROM shelf
          WHERE number IS NOT NULL
          """)))
    #expect(try row.integer(0) == huge - 1)
    #expect(try row.integer(1) == 2)
    #expect(try row.real(2) == 1.75)
    #expect(try row.integer(3) == 1)
    #expect(try row.integer(4) == 0)
    let negative = try await store.database.row(Statement("SELECT sum(number) FROM shelf WHERE number < 0"))
    #expect(try negative?.integer(0) == -1)
    let none = try await store.database.row(Statement("SELECT sum(number) FROM shelf WHERE number > 9 AND number < 8"))
    #expect(try none?.value(0) == .null)
  }

  @Test(arguments: Backend.allCases) func columnsMayShareAName(_ backend: Backend) async throws {
    let store = try await open(backend)
    try await store.commit(put("a", .integer(5), .null, .null, .null))
    let row = try await store.database.row(Statement("SELECT id, number, id, number FROM shelf"))
    #expect(try row?.text(2) == "a")
    #expect(try row?.integer(3) == 5)
  }
}
