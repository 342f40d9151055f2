import CSQLite
import Storage

/// A failed call of SQLite: its extended result code and message.
struct SQLiteFailure {
  let code: Int32
  let message: String

  /// The code without its extension.
  var primaryCode: Int32 { code & 0xFF }

  /// What it means to the caller.
  func storageError(path: String) -> StorageError {
    switch primaryCode {
    case SQLITE_CONSTRAINT: constraint
    case SQLITE_FULL: .full(path: path)
    case SQLITE_CORRUPT: .corrupt(path: path, detail: message)
    case SQLITE_NOTADB: .foreignFile(path: path, reason: "the file is not a database")
    case SQLITE_READONLY, SQLITE_PERM: .readOnly(path: path)
    case SQLITE_CANTOPEN: .cannotOpen(path: path, reason: message)
    case SQLITE_TOOBIG: .valueTooLarge
    // Only another program that opened the file in spite of the lock file can hold it this long.
    case SQLITE_BUSY, SQLITE_LOCKED: .inUse(path: path, process: nil)
    case SQLITE_ERROR, SQLITE_RANGE, SQLITE_MISUSE, SQLITE_MISMATCH, SQLITE_SCHEMA: .invalidStatement(message)
    default: .inputOutput(path: path, detail: "\(message), SQLite code \(code)")
    }
  }

  private var constraint: StorageError {
    switch code {
    case SQLITE_CONSTRAINT | 8 << 8, SQLITE_CONSTRAINT | 6 << 8, SQLITE_CONSTRAINT | 10 << 8:
      // UNIQUE, PRIMARYKEY, ROWID; the message reads "UNIQUE constraint failed: table.column, table.column".
      .uniqueViolation(constraint: detail)
    default: .constraintViolation(message)
    }
  }

  private var detail: String {
    guard let colon = message.firstIndex(of: ":") else { return message }
    return String(message[colon...].dropFirst(2))
  }
}
