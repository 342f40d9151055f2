import Storage

/// Inserts many rows of one table in few statements: 64 at a time, the rest in powers of two, so that seven prepared statements
/// serve every count.
struct RowInsertion {
  /// Most rows of one statement.
  static let maximumRows = 64

  private let heads: [Int: String]
  private let columnCount: Int

  /// For these columns of a table.
  init(into table: String, columns: [String]) {
    let head = "INSERT INTO \(table) (\(columns.joined(separator: ", "))) VALUES "
    let row = "(" + Array(repeating: "?", count: columns.count).joined(separator: ", ") + ")"
    var heads: [Int: String] = [:]
    var count = RowInsertion.maximumRows
    while count > 0 {
      heads[count] = head + Array(repeating: row, count: count).joined(separator: ", ")
      count /= 2
    }
    self.heads = heads
    columnCount = columns.count
  }

  /// The statements for rows whose values are given one after another.
  func statements(_ values: [SQLValue], expect: Statement.Expectation) -> [Statement] {
    var statements: [Statement] = []
    var start = 0
    var size = RowInsertion.maximumRows
    while start < values.count, size > 0 {
      let width = size * columnCount
      if values.count - start >= width, let sql = heads[size] {
        statements.append(Statement(sql, Array(values[start..<start + width]), expect: expect))
        start += width
      } else {
        size /= 2
      }
    }
    return statements
  }
}
