/// How the rows of a table stand to events: each row is an aggregate whose newest event has the row's version.
public struct AggregateRows: Sendable {
  /// The table.
  public let table: String
  /// Columns in whose order the table is read; together unique.
  public let key: [String]
  /// SQL for the aggregate's id from a row.
  public let id: String
  /// SQL for the aggregate's version from a row.
  public let version: String
  /// SQL that is true where `event_aggregate` is the id of such a row.
  public let isKnown: String

  /// A table whose aggregates are known by one column.
  public init(_ table: String, key: String) {
    self.init(table, key: [key], id: key, version: "version", lookup: "\(key) = event_aggregate")
  }

  /// A table whose aggregates' ids are made from several columns; `lookup` is SQL that finds the row of `event_aggregate` by an
  /// index.
  public init(_ table: String, key: [String], id: String, version: String = "version", lookup: String) {
    let isKnown = "EXISTS (SELECT 1 FROM \(table) WHERE \(lookup))"
    self.init(table, key: key, id: id, version: version, isKnown: isKnown)
  }

  /// A table in which no index leads to the row of an aggregate: what its id looks like must do.
  public init(_ table: String, key: [String], id: String, version: String, isKnown: String) {
    self.table = table
    self.key = key
    self.id = id
    self.version = version
    self.isKnown = isKnown
  }
}

/// Something in a database that cannot be: what a check found.
public struct Finding: Hashable, Sendable, CustomStringConvertible {
  /// Which check, in the words of an operator.
  public let check: String
  /// Where: table and id, position, page. No personal data.
  public let place: String
  /// What is wrong there.
  public let problem: String

  /// A finding.
  public init(_ check: String, place: String, problem: String) {
    self.check = check
    self.place = place
    self.problem = problem
  }

  /// One line.
  public var description: String { "\(check): \(place): \(problem)" }
}
