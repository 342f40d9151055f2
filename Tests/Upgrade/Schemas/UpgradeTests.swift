import AgentService
import Core
import CustomerService
import MainstayTesting
import PartnerService
import ReportingService
import Storage
import StorageSQLite
import Testing

/// A database of each earlier schema, with a row in each of its tables, is opened by today's program: the rows are there.
@Suite struct UpgradeTests {
  static let services: [(name: String, migrations: [Migration])] = [
    ("customer", CustomerServiceApplication.migrations), ("agent", AgentServiceApplication.migrations),
    ("partner", PartnerServiceApplication.migrations), ("reporting", ReportingServiceApplication.migrations),
  ]

  /// Tables that a migration empties because they are made anew from events.
  static let retold: [String: Set<String>] = [
    "reporting": ["progress", "policy", "premium", "party", "agent", "branch", "partner", "product"]
  ]

  private struct Table {
    let name: String
    let columns: [(name: String, type: String)]
  }

  private func tables(_ database: SQLiteDatabase) async throws -> [Table] {
    let names = try await database.query(
      Statement(
        """
        SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'
          AND name <> 'schema_migration' AND name NOT LIKE 'sqlite%' AND name NOT LIKE 'party_name_%' ORDER BY rowid
        """), access: .scan)
    var tables: [Table] = []
    for row in names {
      let name = try row.text(0)
      let columns = try await database.query(
        Statement("SELECT name, type FROM pragma_table_info(?)", [.text(name)]), access: .scan)
      tables.append(Table(name: name, columns: try columns.map { (try $0.text(0), try $0.text(1)) }))
    }
    return tables
  }

  /// The same key everywhere, so that each row finds the rows that it points to.
  private func fill(_ database: SQLiteDatabase, _ tables: [Table]) async throws {
    var batch = Batch()
    for table in tables {
      let values = table.columns.map { column -> SQLValue in
        switch column.type {
        case "INTEGER": .integer(1)
        case "BLOB": .blob([1])
        default: .text("x")
        }
      }
      let (names, places) = (table.columns.map(\.name), table.columns.map { _ in "?" })
      batch.statements.append(
        Statement(
          "INSERT INTO \(table.name) (\(names.joined(separator: ", "))) VALUES (\(places.joined(separator: ", "))) "
            + "ON CONFLICT DO NOTHING", values))
    }
    try await database.commit(batch, lane: .bulk)
  }

  /// Each table's rows, in the columns that it had.
  private func content(_ database: SQLiteDatabase, _ tables: [Table]) async throws -> [String: [[SQLValue]]] {
    var content: [String: [[SQLValue]]] = [:]
    for table in tables {
      let columns = table.columns.map(\.name).joined(separator: ", ")
      let rows = try await database.query(Statement("SELECT \(columns) FROM \(table.name)"), access: .scan)
      content[table.name] = try rows.map { row in try (0..<row.count).map { try row.value($0) } }
    }
    return content
  }

  @Test(arguments: services.indices) func dataOfEachEarlierSchemaSurvive(_ index: Int) async throws {
    let (name, migrations) = Self.services[index]
    let folder = try TemporaryFolder()
    for count in 0..<migrations.count {
      let path = folder.file("\(name)-\(count).db")
      let old = try SQLiteDatabase(path: path, clock: SystemClock())
      try await old.migrate(Array(migrations.prefix(count)))
      let tables = try await tables(old)
      try await fill(old, tables)
      let before = try await content(old, tables)
      #expect(before.values.allSatisfy { !$0.isEmpty }, "\(name) \(count)")
      old.close()
      let today = try SQLiteDatabase(path: path, clock: SystemClock())
      defer { today.close() }
      try await today.migrate(migrations)
      let after = try await content(today, tables.filter { Self.retold[name]?.contains($0.name) != true })
      for (table, rows) in after { #expect(rows == before[table], "\(name) \(count): \(table)") }
      #expect(try await today.checkPages() == [])
    }
  }
}
