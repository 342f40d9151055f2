import Core

/// Rows of results, printed as they come: memory stays the same however many there are. Confined to one task.
final class Listing {
  /// Rows that a table is measured by before its first line is printed; wider values that come later stick out.
  static let measuredRows = 500

  private let columns: [String]
  private let format: OutputFormat
  private let showsColors: Bool
  private let output: StandardOutput
  private var waiting: [[String]] = []
  private var widths: [Int]?
  private var rowCount = 0

  /// A listing with these columns.
  init(_ columns: [String], format: OutputFormat, terminal: Terminal, output: StandardOutput) {
    self.columns = columns
    self.format = format
    self.output = output
    showsColors = terminal.showsColors
    if format == .csv { output.write(CSV.line(columns)) }
  }

  /// Adds a row; in JSON it is the whole object.
  func add(_ cells: [String], json: () throws -> String) rethrows {
    rowCount += 1
    switch format {
    case .csv: output.write(CSV.line(cells))
    case .json:
      output.write(rowCount == 1 ? "[\n" : ",\n")
      output.write(try json())
    case .table where widths != nil: printRow(cells)
    case .table:
      waiting.append(cells)
      if waiting.count == Listing.measuredRows { printWaiting() }
    }
  }

  /// Adds a row whose JSON has the columns as members.
  func add(_ cells: [String]) {
    add(cells) { JSONText.object(zip(columns, cells).map { ($0, jsonString($1)) }) }
  }

  /// Prints a single row; in JSON the object alone.
  func addOnly(_ cells: [String], json: String) {
    guard format == .json else {
      add(cells)
      return finish()
    }
    output.write(json + "\n")
    output.flush()
  }

  /// Prints what is left.
  func finish() {
    switch format {
    case .csv: break
    case .json: output.write(rowCount == 0 ? "[]\n" : "\n]\n")
    case .table: if widths == nil { printWaiting() }
    }
    output.flush()
  }

  private func printWaiting() {
    widths = columns.indices.map { column in
      ([columns] + waiting).map { TableText.width(TableText.printable($0[column])) }.max() ?? 0
    }
    printRow(columns.map { $0.uppercased() }, bold: showsColors)
    for row in waiting { printRow(row) }
    waiting = []
  }

  private func printRow(_ cells: [String], bold: Bool = false) {
    guard let widths else { return }
    var line = ""
    for (index, cell) in cells.enumerated() {
      let text = TableText.printable(cell)
      line += text
      guard index < cells.count - 1 else { continue }
      line += String(repeating: " ", count: max(0, widths[index] - TableText.width(text)) + 2)
    }
    output.write(bold ? "\u{1B}[1m\(line)\u{1B}[0m\n" : line + "\n")
  }
}
