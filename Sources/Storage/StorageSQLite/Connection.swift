import CSQLite
import Storage

/// One connection to the file, with its statement cache.
///
/// @unchecked Sendable is safe because one thread uses it at a time: the writer thread, a scan thread, or whoever took
/// it out of the pool of point readers; handing over goes through a lock. SQLite is opened without its own mutex.
final class Connection: @unchecked Sendable {
  /// What a connection may do.
  enum Role {
    case writer
    /// Moves the WAL into the file.
    case checkpointer
    case reader
  }

  /// What SQLite's callbacks reach through a raw pointer; lives as long as the connection.
  final class Hooks {
    var stepsLeft = 0
    var cancellation: CancellationFlag?
    var walPages = 0
  }

  /// Steps of SQLite's machine between two looks at the limits.
  private static let stepsPerLook: Int32 = 1_000

  let path: String
  let role: Role
  let handle: OpaquePointer
  let hooks = Hooks()
  private var cache: StatementCache

  /// Opens the file, which must be there.
  init(path: String, role: Role, limits: SQLiteLimits) throws {
    self.path = path
    self.role = role
    var opened: OpaquePointer?
    let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE
    let code = sqlite3_open_v2(path, &opened, flags, limits.fileSystem)
    guard code == SQLITE_OK, let opened else {
      let message = String(cString: opened.map { sqlite3_errmsg($0) } ?? sqlite3_errstr(code))
      sqlite3_close_v2(opened)
      throw SQLiteFailure(code: code, message: message).storageError(path: path)
    }
    handle = opened
    cache = StatementCache(limit: limits.cachedStatements)
    try check(mainstay_sqlite_defend(handle))
    sqlite3_busy_timeout(handle, limits.busyTimeoutMilliseconds)
    sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, Int32(clamping: limits.valueBytes))
    try configure(limits)
    installHook()
  }

  deinit {
    cache.removeAll()
    sqlite3_close_v2(handle)
  }

  /// Pages in the WAL after the last commit of this connection.
  var walPages: Int { hooks.walPages }

  /// Statements in the cache.
  var cachedStatements: Int { cache.count }

  /// True outside a transaction: also when an error has ended it behind our back.
  var isOutsideTransaction: Bool { sqlite3_get_autocommit(handle) != 0 }

  /// The prepared statement for a text, reset and without parameters.
  func prepared(_ sql: String) throws -> OpaquePointer {
    try cache.handle(for: sql) {
      var statement: OpaquePointer?
      var text = sql
      let code = text.withUTF8 { bytes in
        bytes.withMemoryRebound(to: CChar.self) { characters in
          var tail: UnsafePointer<CChar>?
          let code = sqlite3_prepare_v3(
            handle, characters.baseAddress, Int32(clamping: characters.count), UInt32(SQLITE_PREPARE_PERSISTENT),
            &statement, &tail)
          // What follows the first statement would be left out in silence.
          let rest = tail.flatMap { tail in characters.baseAddress.map { characters.count - (tail - $0) } } ?? 0
          return code == SQLITE_OK && rest > 0 ? SQLITE_MISUSE : code
        }
      }
      guard code == SQLITE_OK, let statement else {
        sqlite3_finalize(statement)
        throw code == SQLITE_MISUSE || code == SQLITE_OK
          ? StorageError.invalidStatement("not exactly one statement: \(sql.prefix(80))") : failure(code)
      }
      return statement
    }
  }

  /// Throws unless the call succeeded.
  func check(_ code: Int32) throws {
    guard code == SQLITE_OK else { throw failure(code) }
  }

  /// What a failed call means.
  func failure(_ code: Int32) -> StorageError {
    SQLiteFailure(code: code, message: String(cString: sqlite3_errmsg(handle))).storageError(path: path)
  }

  /// Settings of this connection alone. None of them changes a file that may turn out to be another program's.
  private func configure(_ limits: SQLiteLimits) throws {
    let cache = role == .writer ? limits.writerCacheKibibytes : limits.readerCacheKibibytes
    var settings = [
      // An I/O error under mmap is SIGBUS, which no caller could be told of.
      "mmap_size = 0", "cache_size = -\(cache)", "temp_store = MEMORY", "foreign_keys = ON",
      "synchronous = \(limits.isUnsynced ? "OFF" : "FULL")", "cell_size_check = ON",
      "journal_size_limit = \(limits.keptWALBytes)",
    ]
    if role == .reader { settings.append("query_only = ON") }
    if let pages = limits.databasePages { settings.append("max_page_count = \(pages)") }
    // Only the writer, which knows whether it is safe, moves the WAL into the file as it is closed.
    if role != .writer { keepWAL() }
    for setting in settings { try check(sqlite3_exec(handle, "PRAGMA " + setting, nil, nil, nil)) }
  }

  /// The writer counts the WAL's pages, in place of SQLite's own checkpoint; a reader counts its steps.
  private func installHook() {
    let context = Unmanaged.passUnretained(hooks).toOpaque()
    switch role {
    case .writer:
      sqlite3_wal_hook(
        handle,
        { context, _, _, pages in
          if let context { Unmanaged<Hooks>.fromOpaque(context).takeUnretainedValue().walPages = Int(pages) }
          return SQLITE_OK
        }, context)
    case .checkpointer: sqlite3_wal_autocheckpoint(handle, 0)
    case .reader:
      sqlite3_progress_handler(
        handle, Connection.stepsPerLook,
        { context in
          guard let context else { return 0 }
          let hooks = Unmanaged<Hooks>.fromOpaque(context).takeUnretainedValue()
          hooks.stepsLeft -= Int(Connection.stepsPerLook)
          return hooks.stepsLeft < 0 || hooks.cancellation?.reason != nil ? 1 : 0
        }, context)
    }
  }
}
