import Core
import CSQLite
import Glibc
import Storage

/// Puts a backup in the place of a database that nobody has open.
public struct SQLiteRestore {
  /// The backup.
  public let backup: String
  /// The database's file.
  public let path: String

  /// A restore of a backup to a database's place.
  public init(backup: String, to path: String) {
    self.backup = backup
    self.path = path
  }

  /// Checks a copy of the backup whole, gives it a fresh epoch, and puts it in the place of the database, all at once: whoever
  /// follows the events begins anew. A database that holds something is replaced only when that is wanted; it is kept as
  /// `<path>.replaced`, with its WAL.
  ///
  /// Throws `StorageError`, and `MigrationError` for a backup of a newer program.
  public func run(replacing: Bool, migrations: [Migration], random: some RandomSource) throws {
    guard access(backup, F_OK) == 0 else {
      throw StorageError.cannotOpen(path: backup, reason: "there is no such file")
    }
    guard access(backup + "-wal", F_OK) != 0 else {
      throw StorageError.cannotOpen(path: backup, reason: "it is a part of a database in use; make a backup of that")
    }
    let file = try DatabaseFile(path: path)
    defer { file.unlock() }
    guard replacing || isEmpty else {
      throw StorageError.cannotOpen(path: path, reason: "it is not empty; --replace puts the backup in its place")
    }
    let copy = path + ".restoring"
    try copyFile(to: copy)
    do {
      try prepare(copy, migrations: migrations, random: random)
      try replace(by: copy)
    } catch {
      for suffix in ["", "-wal", "-shm", "-journal"] { unlink(copy + suffix) }
      throw error
    }
  }

  private var isEmpty: Bool {
    [path, path + "-wal"].allSatisfy { name in
      var status = stat()
      return stat(name, &status) != 0 || status.st_size == 0
    }
  }

  /// What the service will find must be whole, of this program or an older one, and of another epoch.
  private func prepare(_ copy: String, migrations: [Migration], random: some RandomSource) throws {
    let connection = try Connection(path: copy, role: .writer, limits: SQLiteLimits())
    let limits = QueryLimits(steps: .max, rows: 10_000)
    func rows(_ sql: String) throws -> [Row] { try connection.query(Statement(sql), limits: limits) }
    guard try rows("PRAGMA application_id").first?.integer(0) == DatabaseFile.applicationID else {
      throw StorageError.foreignFile(path: backup, reason: "it has not our application id")
    }
    let line = try rows("PRAGMA integrity_check(1)").first?.text(0) ?? "no answer"
    guard line == "ok" else { throw StorageError.corrupt(path: backup, detail: line) }
    guard try rows("PRAGMA foreign_key_check").isEmpty else {
      throw StorageError.corrupt(path: backup, detail: "rows point to rows that are not there")
    }
    let applied = try rows("SELECT component, version, checksum FROM schema_migration ORDER BY component, version").map
    {
      AppliedMigration(component: try $0.text(0), version: Int(try $0.integer(1)), checksum: try $0.text(2))
    }
    _ = try MigrationPlan.pending(known: StorageSchema.migrations + migrations, applied: applied, dialect: .sqlite)
    try connection.execute(EventLog.renewal(random: random))
    _ = try rows("PRAGMA journal_mode = DELETE")
  }

  /// The old WAL goes first: it must not be taken for the new file's. A crash in between leaves the old file, and this to be run
  /// again.
  private func replace(by copy: String) throws {
    if !isEmpty {
      let old = path + ".replaced"
      for suffix in ["", "-wal"] { unlink(old + suffix) }
      guard link(path, old) == 0 else { throw failed("keep the old file as \(old)") }
      if access(path + "-wal", F_OK) == 0, rename(path + "-wal", old + "-wal") != 0 {
        throw failed("keep the old file as \(old)-wal")
      }
    }
    unlink(path + "-wal")
    unlink(path + "-shm")
    try DatabaseFile.sync(folderOf: path)
    guard rename(copy, path) == 0 else { throw failed("put \(copy) in its place") }
    try DatabaseFile.sync(folderOf: path)
  }

  private func copyFile(to copy: String) throws {
    for suffix in ["", "-wal", "-shm", "-journal"] { unlink(copy + suffix) }
    let source = open(backup, O_RDONLY | O_CLOEXEC)
    guard source >= 0 else { throw StorageError.cannotOpen(path: backup, reason: String(cString: strerror(errno))) }
    defer { close(source) }
    let target = open(copy, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard target >= 0 else { throw failed("write \(copy)") }
    defer { close(target) }
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    while true {
      let count = read(source, &buffer, buffer.count)
      guard count > 0 else {
        guard count == 0, fsync(target) == 0 else { throw failed("write \(copy)") }
        return
      }
      guard write(target, buffer, count) == count else { throw failed("write \(copy)") }
    }
  }

  /// The error for a system call that has just failed.
  private func failed(_ action: String) -> StorageError {
    errno == ENOSPC || errno == EDQUOT
      ? .full(path: path) : .cannotOpen(path: path, reason: "cannot \(action): \(String(cString: strerror(errno)))")
  }
}
