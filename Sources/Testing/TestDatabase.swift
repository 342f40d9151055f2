import Core
import Foundation
import Storage
import StoragePostgres
import StorageSQLite

/// The database that the services' suites run on: SQLite, or PostgreSQL when MAINSTAY_TEST_DATABASE says "postgresql".
public enum TestDatabase {
  /// Which of the two.
  public static let dialect: Migration.Dialect =
    ProcessInfo.processInfo.environment["MAINSTAY_TEST_DATABASE"] == "postgresql" ? .postgresql : .sqlite

  /// One that belongs to the folder: a file of it, or a schema of the tests' server. Opened again by the same name it has its data.
  public static func open(in folder: TemporaryFolder, _ name: String = "store.db") async throws -> any Database {
    switch dialect {
    case .sqlite: return try SQLiteDatabase(path: folder.file(name), clock: SystemClock())
    case .postgresql:
      var limits = PostgresLimits(connections: 6)
      // The machine may be busy with other tests.
      (limits.connectMilliseconds, limits.patienceMilliseconds) = (240_000, 240_000)
      let schema = "s_\(folder.path.suffix(12))_\(name)".map { $0.isLetter || $0.isNumber ? $0 : "_" }
      return try await PostgresDatabase.open(
        try await PostgresServer.shared.location(schema: String(schema)), clock: SystemClock(), limits: limits)
    }
  }
}
