/// Inserts many rows of one table in few statements: 64 at a time, the rest in powers of two, so that seven prepared statements
/// serve every count.
public struct RowInsertion: Sendable {
  /// Most rows of one statement.
  public static let maximumRows = 64

  fileprivate let columnCount: Int
  private let heads: [Int: String]

  /// For these columns of a table.
  public init(into table: String, columns: [String]) {
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

  /// The text for so many rows, a power of two.
  fileprivate func sql(_ rows: Int) -> String { heads[rows] ?? "" }
}

/// Rows on their way into one table.
public struct RowBuffer: Sendable {
  private let insertion: RowInsertion
  private let expectation: Statement.Expectation
  private var full: [Statement] = []
  private var values: [SQLValue] = []

  /// No rows yet; `expect` is what each statement must keep.
  public init(_ insertion: RowInsertion, expect expectation: Statement.Expectation) {
    self.insertion = insertion
    self.expectation = expectation
  }

  /// Adds the next value, row by row and column by column.
  public mutating func append(_ value: SQLValue) {
    if values.isEmpty { values.reserveCapacity(RowInsertion.maximumRows * insertion.columnCount) }
    values.append(value)
    if values.count == RowInsertion.maximumRows * insertion.columnCount {
      full.append(Statement(insertion.sql(RowInsertion.maximumRows), values, expect: expectation))
      values = []
    }
  }

  /// The statements for all rows.
  public var statements: [Statement] {
    var statements = full
    var rest = values[...]
    var rows = RowInsertion.maximumRows / 2
    while rows > 0 {
      let width = rows * insertion.columnCount
      if rest.count >= width {
        statements.append(Statement(insertion.sql(rows), Array(rest.prefix(width)), expect: expectation))
        rest = rest.dropFirst(width)
      }
      rows /= 2
    }
    return statements
  }
}
