import Storage

/// Copies all that a service has stored into an empty database, which may be of another kind, and compares the two row by row.
///
/// A target that is being filled is marked, so that no service starts on half a copy; a copy that was broken off is begun anew.
public struct StorageCopy: Sendable {
  /// A database and its kind.
  public struct Side: Sendable {
    /// The database.
    public let database: any Database
    /// Its kind.
    public let dialect: Migration.Dialect

    /// A side of a copy.
    public init(_ database: any Database, _ dialect: Migration.Dialect) {
      self.database = database
      self.dialect = dialect
    }
  }

  /// Why nothing is copied, or a copy is not right.
  public enum Failure: Error, Hashable, Sendable, CustomStringConvertible {
    /// Neither side is a SQLite file, whose catalogue tells the tables.
    case noFile
    /// The source's schema is not the program's.
    case sourceIsOlder
    /// The target holds something, or a part of another source.
    case targetIsNotEmpty
    /// The rows of a table differ from this one on.
    case different(table: String, place: String)

    /// One line for the person who must act.
    public var description: String {
      switch self {
      case .noFile: "one of both must be sqlite:PATH; between two servers use their own tools"
      case .sourceIsOlder: "the source is of an earlier version; start the service on it once, stop it, then copy"
      case .targetIsNotEmpty: "the target is not empty, nor a broken-off copy of this source; choose another"
      case .different(let table, let place):
        "the copy differs from the source in \(table) \(place); is a service using one of them? Stop it and copy again"
      }
    }
  }

  /// A table of the source, in the order in which rows may point to one another.
  struct Table: Sendable {
    let name: String
    let columns: [String]
    let key: [String]
  }

  /// Most rows that are read and written together.
  static let pageRows = 256

  /// What marks a target until the copy is whole. No service knows this component, so none opens such a database.
  static let marker = Migration(
    component: "storage_copy", version: 1, name: "a copy that is not whole",
    statements: ["CREATE TABLE storage_copy (source TEXT PRIMARY KEY NOT NULL) STRICT"])

  let source: Side
  let target: Side
  let migrations: [Migration]

  /// A copy from a migrated database to another, of a service with these tables.
  public init(from source: Side, to target: Side, migrations: [Migration]) {
    self.source = source
    self.target = target
    self.migrations = migrations
  }

  /// Copies and compares; tells the rows of each table. Throws `Failure`, and what the drivers throw.
  public func run(onTable: (String, Int) -> Void) async throws {
    guard source.dialect == .sqlite || target.dialect == .sqlite else { throw Failure.noFile }
    try await checkSource()
    let epoch = try await self.epoch(source)
    try await prepareTarget(epoch)
    let tables = try await tables()
    for table in tables.reversed() {
      try await target.database.commit(Batch([Statement("DELETE FROM \(table.name)")]), lane: .bulk)
    }
    for table in tables { try await copy(table) }
    for table in tables { onTable(table.name, try await compare(table)) }
    try await target.database.commit(
      Batch([
        Statement("DELETE FROM schema_migration WHERE component = ?", [.text(Self.marker.component)]),
        Statement("DROP TABLE storage_copy"),
      ]), lane: .bulk)
  }

  private func checkSource() async throws {
    let rows = try await source.database.query(
      Statement("SELECT component, version, checksum FROM schema_migration ORDER BY component, version"), access: .scan)
    let applied = try rows.map {
      AppliedMigration(component: try $0.text(0), version: Int(try $0.integer(1)), checksum: try $0.text(2))
    }
    let known = StorageSchema.migrations + migrations
    guard try MigrationPlan.pending(known: known, applied: applied, dialect: source.dialect).isEmpty else {
      throw Failure.sourceIsOlder
    }
  }

  private func epoch(_ side: Side) async throws -> String? {
    try await side.database.row(Statement("SELECT epoch FROM log_epoch"), access: .scan)?.text(0)
  }

  /// Empty but for its schema, or marked with this source; then it is marked.
  private func prepareTarget(_ epoch: String?) async throws {
    try await target.database.migrate(migrations + [Self.marker])
    let epoch = epoch ?? "a database without an epoch"
    let marked = try await target.database.row(Statement("SELECT source FROM storage_copy"), access: .scan)
    if let marked {
      guard try marked.text(0) == epoch else { throw Failure.targetIsNotEmpty }
      return
    }
    let events = try await target.database.row(Statement("SELECT count(*) FROM event"), access: .scan)
    guard try await self.epoch(target) == nil, try events?.integer(0) == 0 else {
      try await unmark()
      throw Failure.targetIsNotEmpty
    }
    try await target.database.commit(
      Batch([Statement("INSERT INTO storage_copy (source) VALUES (?)", [.text(epoch)])]), lane: .bulk)
  }

  /// A database that is somebody's is left as it was.
  private func unmark() async throws {
    try await target.database.commit(
      Batch([
        Statement("DELETE FROM schema_migration WHERE component = ?", [.text(Self.marker.component)]),
        Statement("DROP TABLE storage_copy"),
      ]), lane: .bulk)
  }

  // MARK: Rows

  private func copy(_ table: Table) async throws {
    var place: [SQLValue]?
    repeat {
      let rows = try await page(table, of: source, after: place)
      guard !rows.isEmpty else { return }
      let row = "(" + table.columns.map { _ in "?" }.joined(separator: ", ") + ")"
      let columns = table.columns.map { "\"\($0)\"" }.joined(separator: ", ")
      let values = rows.map { _ in row }.joined(separator: ", ")
      try await target.database.commit(
        Batch([Statement("INSERT INTO \(table.name) (\(columns)) VALUES \(values)", rows.flatMap { $0 })]), lane: .bulk)
      place = rows.count == Self.pageRows ? key(of: rows[rows.count - 1], table) : nil
    } while place != nil
  }

  /// The rows that both have.
  private func compare(_ table: Table) async throws -> Int {
    var place: [SQLValue]?
    var count = 0
    repeat {
      let rows = try await page(table, of: source, after: place)
      let copied = try await page(table, of: target, after: place)
      guard rows == copied else {
        let same = zip(rows, copied).prefix { $0 == $1 }.count
        throw Failure.different(table: table.name, place: "at row \(count + same + 1)")
      }
      count += rows.count
      place = rows.count == Self.pageRows ? key(of: rows[rows.count - 1], table) : nil
    } while place != nil
    return count
  }

  private func key(of row: [SQLValue], _ table: Table) -> [SQLValue] {
    table.key.compactMap { name in table.columns.firstIndex(of: name).map { row[$0] } }
  }

  private func page(_ table: Table, of side: Side, after place: [SQLValue]?) async throws -> [[SQLValue]] {
    let columns = table.columns.map { "\"\($0)\"" }.joined(separator: ", ")
    let key = table.key.map { "\"\($0)\"" }.joined(separator: ", ")
    let places = table.key.map { _ in "?" }.joined(separator: ", ")
    let condition = place == nil ? "" : "WHERE (\(key)) > (\(places)) "
    let rows = try await side.database.query(
      Statement("SELECT \(columns) FROM \(table.name) \(condition)ORDER BY \(key) LIMIT \(Self.pageRows)", place ?? []),
      access: .scan)
    return try rows.map { row in try (0..<row.count).map { try row.value($0) } }
  }

  // MARK: Tables

  /// As the file's catalogue has them: both sides were made by the same migrations. Tables were made before those that point to
  /// them.
  private func tables() async throws -> [Table] {
    guard let file = [source, target].first(where: { $0.dialect == .sqlite })?.database else { throw Failure.noFile }
    let kinds = try await file.query(
      Statement("SELECT name, type FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite%'"),
      access: .scan)
    let kept = try Dictionary(uniqueKeysWithValues: kinds.map { (try $0.text(0), try $0.text(1)) })
    let names = try await file.query(
      Statement("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid"), access: .scan)
    var tables: [Table] = []
    for name in try names.map({ try $0.text(0) }) where name != "schema_migration" && name != "storage_copy" {
      guard let kind = kept[name], kind == "table" || kind == "virtual" else { continue }
      let columns = try await file.query(
        Statement("SELECT name, pk FROM pragma_table_info(?) ORDER BY cid", [.text(name)]), access: .scan)
      var (all, key) = (try columns.map { try $0.text(0) }, [(order: Int64, name: String)]())
      for column in columns where try column.integer(1) > 0 { key.append((try column.integer(1), try column.text(0))) }
      if kind == "virtual" {
        // A full-text table has no key but the number of its row, which is a column of its own on a server.
        all.insert("rowid", at: 0)
        key = [(1, "rowid")]
      }
      tables.append(Table(name: name, columns: all, key: key.sorted { $0.order < $1.order }.map(\.name)))
    }
    return tables
  }
}
