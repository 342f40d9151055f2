import CSQLite
import Glibc
import Storage

/// The file and its lock: exactly one process has a database open. SQLite itself would allow more, but the writer's
/// queue, the sequencer and the signals live in one process.
final class DatabaseFile: Sendable {
  let path: String
  private let lock: CInt

  /// Creates the last folder of the path (0700) and the file (0600) where they are missing, and takes the lock
  /// `<path>.lock` until this value goes.
  init(path: String) throws {
    self.path = path
    let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    if mkdir(folder, 0o700) == 0 {
      try DatabaseFile.sync(folder: folder + "/..", path)
    } else if errno != EEXIST {
      throw DatabaseFile.cannot("create the folder \(folder)", path)
    }
    let lock = open(path + ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard lock >= 0 else { throw DatabaseFile.cannot("write in the folder \(folder)", path) }
    guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
      defer { Glibc.close(lock) }
      throw errno == EWOULDBLOCK
        ? StorageError.inUse(path: path, process: DatabaseFile.content(of: lock))
        : DatabaseFile.cannot("lock \(path).lock", path)
    }
    self.lock = lock
    // For the message that the next one gets; the lock itself needs no content.
    let process = Array(String(getpid()).utf8)
    ftruncate(lock, 0)
    pwrite(lock, process, process.count, 0)
    // SQLite gives its other files the permissions of this one.
    let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw DatabaseFile.cannot("write the file", path) }
    Glibc.close(file)
    // SQLite syncs what is in the file, and the folder for the names of its other files; nobody else does it for this one.
    try DatabaseFile.sync(folder: folder, path)
  }

  /// Sees that the name of a file is on the disk.
  static func sync(folderOf path: String) throws(StorageError) {
    let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    try sync(folder: folder, path)
  }

  /// Sees that names in a folder are on the disk.
  private static func sync(folder: String, _ path: String) throws(StorageError) {
    let descriptor = open(folder, O_RDONLY | O_CLOEXEC | O_DIRECTORY)
    guard descriptor >= 0 else { throw DatabaseFile.cannot("open the folder \(folder)", path) }
    defer { Glibc.close(descriptor) }
    // EINVAL: a file system whose folders need none.
    guard fsync(descriptor) == 0 || errno == EINVAL else {
      throw DatabaseFile.cannot("sync the folder \(folder)", path)
    }
  }

  deinit {
    unlock()
    Glibc.close(lock)
  }

  /// Lets the next process in. Said aloud, because a process that is just being spawned shares the lock until its exec.
  func unlock() { flock(lock, LOCK_UN) }

  /// Sees that the file is ours or new, and marks a new one. The journal mode, which is kept in the file, is set only
  /// then.
  func claim(_ connection: Connection) throws {
    let id = try number("PRAGMA application_id", connection)
    if id == 0 {
      guard try number("SELECT count(*) FROM sqlite_schema", connection) == 0 else {
        throw StorageError.foreignFile(path: path, reason: "it holds another program's tables")
      }
      try connection.execute("PRAGMA application_id = \(DatabaseFile.applicationID)")
    } else if id != DatabaseFile.applicationID {
      throw StorageError.foreignFile(path: path, reason: "its application id is \(id)")
    }
    let mode = try connection.query(Statement("PRAGMA journal_mode = WAL"), limits: DatabaseFile.oneRow)
    guard try mode.first?.text(0) == "wal" else {
      throw StorageError.cannotOpen(path: path, reason: "the file system does not allow a write-ahead log")
    }
    // Reads the whole schema, so that a damaged one is reported now.
    _ = try number("SELECT count(*) FROM sqlite_schema", connection)
  }

  /// "MNST".
  static let applicationID: Int64 = 0x4D4E_5354
  static let oneRow = QueryLimits(steps: .max, rows: 1)

  private func number(_ sql: String, _ connection: Connection) throws -> Int64 {
    try connection.query(Statement(sql), limits: DatabaseFile.oneRow).first?.integer(0) ?? 0
  }

  private static func content(of file: CInt) -> String? {
    var bytes = [UInt8](repeating: 0, count: 20)
    let count = pread(file, &bytes, bytes.count, 0)
    return count > 0 ? String(decoding: bytes.prefix(count), as: UTF8.self) : nil
  }

  /// The error for a system call that has just failed.
  private static func cannot(_ action: String, _ path: String) -> StorageError {
    switch errno {
    case ENOSPC, EDQUOT: .full(path: path)
    case ENOENT, ENOTDIR: .cannotOpen(path: path, reason: "cannot \(action): the folder above it is missing")
    case EACCES, EPERM: .cannotOpen(path: path, reason: "cannot \(action): this user may not")
    case EROFS: .cannotOpen(path: path, reason: "cannot \(action): the file system is read-only")
    case EISDIR: .cannotOpen(path: path, reason: "it is a folder")
    case let code: .cannotOpen(path: path, reason: "cannot \(action): system error \(code)")
    }
  }
}
