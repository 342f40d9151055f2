import Core
import Storage
import StorageSQLite
import Testing

@Suite struct FullTextTests {
  private let folder = TemporaryFolder()

  /// A database with a full-text table `words(terms, id)`.
  private func openWithWords() async throws -> SQLiteDatabase {
    let database = try SQLiteDatabase(path: folder.database, clock: SystemClock())
    try await database.migrate([
      Migration(
        version: 1, name: "words", statements: [],
        sqlite: ["CREATE VIRTUAL TABLE words USING fts5 (terms, id UNINDEXED, tokenize = 'unicode61')"])
    ])
    return database
  }

  @Test func cjkRunsBecomeOverlappingPairs() {
    #expect(FullTextTerms.indexed("人寿保险") == "人寿 寿保 保险 险")
    #expect(FullTextTerms.indexed("张") == "张")
    #expect(FullTextTerms.indexed("张伟 Zhang-Wei") == "张伟 伟 zhang wei")
    #expect(FullTextTerms.indexed("ＡＢＣ１保险abc") == "abc1 保险 险 abc")
    #expect(FullTextTerms.indexed(" ，。 ") == "")
  }

  @Test func termsAreLimited() {
    let terms = FullTextTerms.indexed(String(repeating: "保险 ", count: 2_000)).split(separator: " ")
    #expect(terms.count == FullTextTerms.maximumTerms)
  }

  private func search(_ database: SQLiteDatabase, _ text: String) async throws -> [String] {
    guard let query = FullTextTerms.fts5Query(text) else { return [] }
    let found = try await database.query(
      Statement("SELECT id FROM words WHERE terms MATCH ? ORDER BY id", [.text(query)]), access: .point)
    return try found.map { try $0.text(0) }
  }

  @Test func chineseAndLatinTextIsFound() async throws {
    let database = try await openWithWords()
    let texts = [
      "a": "中国人寿保险股份有限公司", "b": "张伟 Zhang Wei", "c": "险保 Zürich ＩＮＳＵＲＡＮＣＥ", "d": "张小伟",
    ]
    try await database.commit(
      Batch(
        texts.map {
          Statement(
            "INSERT INTO words (id, terms) VALUES (?, ?)", [.text($0.key), .text(FullTextTerms.indexed($0.value))])
        }), lane: .interactive)
    let expected: [(String, [String])] = [
      ("保险", ["a"]), ("险", ["a", "c"]), ("人寿保险", ["a"]), ("人寿公司", []), ("公司 中国", ["a"]), ("张伟", ["b"]),
      ("张", ["b", "d"]), ("伟", ["b", "d"]), ("wei", ["b"]), ("zh", ["b"]), ("ang", []), ("张 WEI", ["b"]),
      ("insur", ["c"]), ("zürich", ["c"]), ("ＺＨＡＮＧ", ["b"]),
    ]
    for (text, ids) in expected {
      let found = try await search(database, text)
      #expect(found == ids, "\(text)")
    }
  }

  @Test func nothingThatAUserTypesIsAnOperator() async throws {
    let database = try await openWithWords()
    for text in [
      "\"", "a\" OR \"b", "NOT", "AND AND", "NEAR(a b)", "terms:x", "^a", "a*", "*", "(", "a + b", "-a", "{a}", "'",
      "é̂",
      "ा", "½", "٣", "\u{0}a\u{0}", "🀄️",
    ] {
      #expect(try await search(database, text).isEmpty, "\(text)")
    }
  }
}
