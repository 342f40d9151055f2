import API
import RPCCore
import Storage
import StorageSQLite

/// mainstay.platform.v1.MaintenanceService: care of what a service has stored.
struct MaintenanceEndpoint: MaintenanceServiceHandler {
  let database: any Database

  /// BackUpDatabase.
  func backUpDatabase(
    _ request: BackUpDatabaseRequest, _ context: ServerContext
  ) async throws -> BackUpDatabaseResponse {
    guard request.path.hasPrefix("/"), !request.path.utf8.contains(0) else {
      throw RPCError.badRequest([FieldViolation("path", "must be an absolute path on the service's machine")])
    }
    guard let database = database as? SQLiteDatabase else {
      throw RPCError(.failedPrecondition, "the service's database is a server: back it up with that server's own tools")
    }
    do {
      return BackUpDatabaseResponse(byteCount: Int64(try await database.backUp(to: request.path)))
    } catch let error as StorageError {
      // Only administrators come here, and they must know about their file.
      throw RPCError(.failedPrecondition, "no backup was made: \(error)", cause: error)
    }
  }
}
