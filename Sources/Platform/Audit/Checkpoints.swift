import AuditProof
import Storage

extension AuditLog {
  /// The newest signed checkpoint of a database; nil before the first.
  public static func newestNote(in database: any Database) async throws -> String? {
    try await database.row(Statement("SELECT note FROM audit_checkpoint ORDER BY size DESC LIMIT 1"))?.text(0)
  }

  /// The newest signed checkpoint; nil before the first.
  public func newestNote() async throws -> String? { try await AuditLog.newestNote(in: database) }

  /// Leaves that have no place yet.
  public func waitingLeaves() async throws -> Int64 {
    try await database.row(Statement("SELECT count(*) FROM audit_pending"), access: .scan)?.integer(0) ?? 0
  }
}
