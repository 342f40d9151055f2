/// Where an import's records come from. Confined to the task that imports.
protocol RecordSource<Record> {
  associatedtype Record

  /// The next record with its line, from 1, and how much it weighs in a batch; nil at the end.
  func next() throws -> (line: Int, record: Record, bytes: Int)?
  /// The server has answered for these lines; those that it rejected have a reason.
  func settle(_ lines: [Int], rejected: [Int: String]) throws
  /// Rows that could not be made records and were never sent.
  var unreadableRows: Int { get }
  /// Rows that were not taken, whatever the reason.
  var rejectedRows: Int { get }
  /// Amounts that the mapping took for missing.
  var missingAmounts: Int { get }
  /// How much was used of what the progress is measured by.
  var consumedBytes: Int { get }
}

/// Records that a mapping makes of the rows of a file.
final class MappedFile<Target: ImportTarget>: RecordSource {
  private let input: InputFile
  private let mapping: BoundMapping
  private let rejects: RejectFile
  /// As they came, for the reject file; as many as there are rows without an answer.
  private var originals: [Int: CSVRecord] = [:]
  private(set) var unreadableRows = 0
  private(set) var missingAmounts = 0

  init(_ input: InputFile, mapping: BoundMapping, rejects: RejectFile) {
    (self.input, self.mapping, self.rejects) = (input, mapping, rejects)
  }

  var rejectedRows: Int { rejects.count }
  var consumedBytes: Int { input.consumedBytes }

  /// Rows that cannot be read go to the reject file at once.
  func next() throws -> (line: Int, record: Target.Record, bytes: Int)? {
    while let original = try input.next() {
      do throws(RowFault) {
        let row = try MappedRow(original, mapping)
        let record = try Target.record(row)
        missingAmounts += row.missingAmounts
        originals[original.line] = original
        return (original.line, record, original.fields.reduce(0) { $0 + $1.count + 1 })
      } catch {
        try rejects.add(original, reason: error.reason)
        unreadableRows += 1
      }
    }
    return nil
  }

  func settle(_ lines: [Int], rejected: [Int: String]) throws {
    for line in lines {
      guard let original = originals.removeValue(forKey: line), let reason = rejected[line] else { continue }
      try rejects.add(original, reason: reason)
    }
  }
}
