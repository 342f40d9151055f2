import CSQLite
import Glibc
import Storage

extension SQLiteDatabase {
  /// Pages that one step of a backup copies, 2 MiB: writes wait for a few milliseconds at most.
  static let backupStepPages: Int32 = 512

  /// Copies the database into a new file (0600) while it is used, and reads the copy back. The copy is as the database was at
  /// one moment, of this call's end.
  ///
  /// The steps run on the writer's connection between two groups: what that writes meanwhile goes into the copy too, so that it
  /// comes to an end however much is written. Returns the copy's size in bytes. Throws `StorageError` about the new file.
  public func backUp(to path: String) async throws -> Int {
    let copy = try BackupCopy(path: path)
    do {
      // Results, not errors: a full or broken backup disk is none of the writer's business.
      try await writer.run { source in Result { () throws(StorageError) in try copy.begin(source) } }.get()
      while try await writer.run({ _ in Result { () throws(StorageError) in try copy.step() } }).get() {}
      try await writer.run { _ in Result { () throws(StorageError) in try copy.end() } }.get()
      try await onThreadOfItsOwn { try copy.verify() }
      return try copy.publish()
    } catch {
      // The handles belong to the writer's thread; a closed database has none any more.
      _ = try? await writer.run { _ in copy.discard() }
      copy.remove()
      throw error
    }
  }
}

/// The new file of a backup, under another name until it is whole.
///
/// @unchecked Sendable is safe: one call at a time uses it, between which the writer's queue or an await stands.
private final class BackupCopy: @unchecked Sendable {
  private let path: String
  private let partial: String
  private var target: OpaquePointer?
  private var backup: OpaquePointer?

  init(path: String) throws(StorageError) {
    self.path = path
    partial = path + ".partial"
    guard access(path, F_OK) != 0 else { throw .cannotOpen(path: path, reason: "there is a file already") }
    let file = open(partial, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw .cannotOpen(path: partial, reason: String(cString: strerror(errno))) }
    close(file)
  }

  func begin(_ source: Connection) throws(StorageError) {
    let code = sqlite3_open_v2(
      partial, &target, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nil)
    guard code == SQLITE_OK else { throw failure(code) }
    backup = sqlite3_backup_init(target, "main", source.handle, "main")
    guard backup != nil else { throw failure(sqlite3_errcode(target)) }
  }

  /// False when it was the last.
  func step() throws(StorageError) -> Bool {
    let code = sqlite3_backup_step(backup, SQLiteDatabase.backupStepPages)
    switch code {
    case SQLITE_DONE: return false
    case SQLITE_OK, SQLITE_BUSY, SQLITE_LOCKED: return true
    default: throw failure(code)
    }
  }

  /// The copy stands alone: without a WAL.
  func end() throws(StorageError) {
    var code = sqlite3_backup_finish(backup)
    backup = nil
    if code == SQLITE_OK { code = sqlite3_exec(target, "PRAGMA journal_mode = DELETE", nil, nil, nil) }
    guard code == SQLITE_OK else { throw failure(code) }
    sqlite3_close_v2(target)
    target = nil
  }

  /// Reads it back from its first page to its last.
  func verify() throws {
    let connection = try Connection(path: partial, role: .reader, limits: SQLiteLimits())
    let limits = QueryLimits(steps: .max, rows: SQLiteDatabase.maximumPageFindings)
    let lines = try connection.query(Statement("PRAGMA integrity_check(1)"), limits: limits)
    let line = try lines.first?.text(0) ?? "no answer"
    guard line == "ok" else { throw StorageError.corrupt(path: partial, detail: line) }
  }

  /// Gives it its name; returns its size.
  func publish() throws(StorageError) -> Int {
    // A link, unlike a new name, replaces nothing.
    guard link(partial, path) == 0 else { throw .cannotOpen(path: path, reason: String(cString: strerror(errno))) }
    unlink(partial)
    try DatabaseFile.sync(folderOf: path)
    var status = stat()
    stat(path, &status)
    return Int(status.st_size)
  }

  func discard() {
    sqlite3_backup_finish(backup)
    backup = nil
    sqlite3_close_v2(target)
    target = nil
  }

  func remove() { for suffix in ["", "-journal"] { unlink(partial + suffix) } }

  private func failure(_ code: Int32) -> StorageError {
    let message = String(cString: target.map { sqlite3_errmsg($0) } ?? sqlite3_errstr(code))
    return SQLiteFailure(code: code, message: message).storageError(path: partial)
  }
}
