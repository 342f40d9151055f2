import CSQLite
import Storage

extension SQLiteDatabase {
  /// Most lines that a check of the pages gives.
  static let maximumPageFindings = 100

  /// Reads all pages of the file: their structure, the agreement of indexes with tables, and foreign keys. For a database that
  /// nobody writes to: it takes as long as reading the file does.
  public func checkPages() async throws -> [Finding] {
    let path = file.path
    return try await onThreadOfItsOwn {
      let connection = try Connection(path: path, role: .reader, limits: SQLiteLimits())
      var findings: [Finding] = []
      let lines = connection.firstColumn("PRAGMA integrity_check(\(SQLiteDatabase.maximumPageFindings))")
      // A row may hold several lines.
      for text in lines.joined(separator: "\n").split(separator: "\n") where text != "ok" && !text.hasPrefix("***") {
        findings.append(Finding("pages", place: SQLiteDatabase.place(of: text), problem: String(text)))
      }
      // Through damaged pages keys cannot be followed.
      guard findings.isEmpty else { return findings }
      let limits = QueryLimits(steps: .max, rows: SQLiteDatabase.maximumPageFindings)
      for row in try connection.query(Statement("SELECT * FROM pragma_foreign_key_check LIMIT 100"), limits: limits) {
        let number = try row.optionalInteger(1).map { " row \($0)" } ?? ""
        findings.append(
          Finding("foreign keys", place: "\(try row.text(0))\(number)", problem: "no such row in \(try row.text(2))"))
      }
      return findings
    }
  }

  /// "Tree 5 page 12 cell 3: …" with the page's place in the file.
  private static func place(of text: Substring) -> String {
    guard let match = text.firstMatch(of: /[Pp]age (\d+)/), let page = Int(match.1), page > 0 else { return "file" }
    return "page \(page) at byte \((page - 1) * SQLiteDatabase.pageBytes)"
  }

  /// Size of a page; we never set another.
  static let pageBytes = 4_096
}

extension Connection {
  /// The texts of a statement's first column. An error ends them and is the last: a check of damaged pages may stumble over them.
  fileprivate func firstColumn(_ sql: String) -> [String] {
    var texts: [String] = []
    do {
      hooks.stepsLeft = .max
      let statement = try prepared(sql)
      defer { sqlite3_reset(statement) }
      var code = sqlite3_step(statement)
      while code == SQLITE_ROW {
        if let text = sqlite3_column_text(statement, 0) { texts.append(String(cString: text)) }
        code = sqlite3_step(statement)
      }
      try check(code == SQLITE_DONE ? SQLITE_OK : code)
    } catch {
      texts.append("\(error)")
    }
    return texts
  }
}
