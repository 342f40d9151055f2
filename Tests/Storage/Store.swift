import Core
import MainstayTesting
import Storage
import StoragePostgres
import StorageSQLite

/// The databases that must behave alike.
enum Backend: CaseIterable, Sendable {
  case sqlite, postgresql
}

/// An open database of either kind with the tables of `TestStore`, for what both must do alike.
struct Store {
  let clock = ManualClock()
  let database: any Database
  let backend: Backend
  /// Opens the same place once more, after closing.
  let reopen: @Sendable () async throws -> any Database

  /// A fresh one. `rows` limits the rows of a point query and of a scan.
  init(_ backend: Backend, rows: (point: Int, scan: Int)? = nil, bulkQueue: Int? = nil) async throws {
    self.backend = backend
    let clock = clock
    switch backend {
    case .sqlite:
      let folder = TemporaryFolder()
      var limits = SQLiteLimits()
      rows.map { (limits.pointRows, limits.scanRows) = $0 }
      bulkQueue.map { limits.bulkQueue = $0 }
      let chosen = limits
      reopen = { try SQLiteDatabase(path: folder.database, clock: clock, limits: chosen) }
    case .postgresql:
      let location = try await PostgresServer.shared.location()
      var limits = PostgresLimits(connections: 6)
      // The machine may be busy with other tests.
      (limits.connectMilliseconds, limits.patienceMilliseconds) = (240_000, 240_000)
      rows.map { (limits.pointRows, limits.scanRows) = $0 }
      bulkQueue.map { limits.bulkQueue = $0 }
      let chosen = limits
      reopen = { try await PostgresDatabase.open(location, clock: clock, limits: chosen) }
    }
    database = try await reopen()
    try await database.migrate([TestStore.migration])
  }
}

extension Store: NoteStore {
  var anyDatabase: any Database { database }
}
