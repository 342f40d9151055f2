/// How the columns of a CSV file become records: what a mapping file says.
struct Mapping: Sendable {
  /// What happens to a value that the field cannot take.
  enum InvalidValue: String, CaseIterable, Sendable {
    /// The row goes into the reject file.
    case reject
    /// The row goes in, and the value is kept as a source attribute under the column's name.
    case keep
  }

  /// Where one column goes.
  struct Rule: Sendable {
    var column: String
    var field: ImportField
    var dateFormat = DateFormat.iso
    var invalid = InvalidValue.reject
    /// What to take for a value of the file; empty takes values as they are.
    var values: [String: String] = [:]
    /// For identifiers: who gave it, and its type.
    var issuer = ""
    var identifierType = ""
    /// For money: value × scale + offset in this currency with so many decimals.
    var currency = ""
    var decimals = 2
    var scale: ExactDecimal?
    var offset: ExactDecimal?
    /// For money: whether zero and less mean that the amount is missing.
    var nonPositiveIsMissing = false
    /// For lengths of time.
    var unit: DurationUnit?
  }

  /// The file's name, for messages.
  var name: String
  var kind: RecordKind
  /// Column of the source's key.
  var key: String
  /// In the order of the file: columns that lead to the same line are joined in it.
  var rules: [Rule]
  /// Values that no column has.
  var constants: [(field: ImportField, value: String)]
  /// Columns that are left out on purpose.
  var ignored: Set<String>
  /// Days of policies that follow from the issue date and the observed duration where the row does not have them: the end date
  /// if the state ends the contract, else the day until which it was observed.
  var derived: Set<ImportField> = []

  /// The columns that a reject file has before those of the original: they are passed over, so that a repaired reject file can
  /// be imported like any other.
  static let rejectColumns = ["line", "reason"]

  /// Checks that file and mapping speak of the same columns, and finds where each stands.
  func bind(header: [String], file: String) throws -> BoundMapping {
    var places: [String: Int] = [:]
    for (index, column) in header.enumerated() {
      guard places.updateValue(index, forKey: column) == nil else {
        throw CommandFailure.usage("\(file) has two columns named \"\(column)\"; rename one")
      }
    }
    let isRejectFile = Array(header.prefix(2)) == Mapping.rejectColumns
    let wanted = Set(rules.map(\.column) + [key])
    for column in header where !wanted.contains(column) && !ignored.contains(column) {
      if isRejectFile, Mapping.rejectColumns.contains(column) { continue }
      throw CommandFailure.usage(
        "\(file) has a column \"\(column)\" that \(name) does not name; map it, or list it under ignore")
    }
    guard let keyPlace = places[key] else { throw missing(key, file) }
    let bound = try rules.map { rule in
      guard let place = places[rule.column] else { throw missing(rule.column, file) }
      return (place, rule)
    }
    return BoundMapping(mapping: self, columnCount: header.count, keyPlace: keyPlace, rules: bound)
  }

  private func missing(_ column: String, _ file: String) -> CommandFailure {
    .usage("\(name) names a column \"\(column)\" that \(file) does not have")
  }
}

/// A mapping together with the places of its columns in one file.
struct BoundMapping: Sendable {
  let mapping: Mapping
  let columnCount: Int
  let keyPlace: Int
  let rules: [(place: Int, rule: Mapping.Rule)]
}

/// Why a row cannot go in; says nothing of the value itself, which may be personal.
struct RowFault: Error, Equatable {
  let reason: String
}
