import Core
import Storage

/// Brings a database's schema up to date, each migration in a transaction of its own.
struct SchemaUpgrade {
  let connection: Connection
  let clock: any Clock

  func run(_ migrations: [Migration]) throws {
    let known = StorageSchema.migrations + migrations
    try connection.execute(MigrationPlan.table)
    let rows = try connection.query(
      Statement("SELECT component, version, checksum FROM schema_migration ORDER BY component, version"),
      limits: QueryLimits(steps: .max, rows: 100_000))
    let applied = try rows.map {
      AppliedMigration(component: try $0.text(0), version: Int(try $0.integer(1)), checksum: try $0.text(2))
    }
    let pending = try MigrationPlan.pending(known: known, applied: applied, dialect: .sqlite)
    for (index, migration) in pending.enumerated() { try apply(migration, total: applied.count + index + 1) }
  }

  /// `user_version` is the number of migrations applied, for whoever looks at the file with other tools.
  private func apply(_ migration: Migration, total: Int) throws {
    try connection.execute("BEGIN IMMEDIATE")
    do {
      for statement in migration.statements(for: .sqlite) { try connection.execute(statement) }
      try connection.execute(
        Statement(
          "INSERT INTO schema_migration (component, version, name, checksum, applied_time) VALUES (?, ?, ?, ?, ?)",
          [
            .text(migration.component), .integer(Int64(migration.version)), .text(migration.name),
            .text(migration.checksum(for: .sqlite)), .time(clock.now()),
          ]))
      try connection.execute("PRAGMA user_version = \(total)")
      try connection.execute("COMMIT")
    } catch {
      if !connection.isOutsideTransaction { try? connection.execute("ROLLBACK") }
      throw error
    }
  }
}
