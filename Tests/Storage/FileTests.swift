import Core
import Glibc
import Storage
import Testing

@testable import StorageSQLite

@Suite struct FileTests {
  private let folder = TemporaryFolder()

  private func open(_ path: String) throws -> SQLiteDatabase { try SQLiteDatabase(path: path, clock: SystemClock()) }

  /// The content of a file of at most 1 MiB.
  private func content(_ path: String) -> [UInt8] {
    let file = Glibc.open(path, O_RDONLY)
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    let count = read(file, &bytes, bytes.count)
    return Array(bytes.prefix(max(0, count)))
  }

  private func write(_ bytes: [UInt8], to path: String, at offset: Int = 0) {
    let file = Glibc.open(path, O_WRONLY | O_CREAT, 0o600)
    defer { close(file) }
    pwrite(file, bytes, bytes.count, off_t(offset))
  }

  private func mode(_ path: String) -> mode_t {
    var status = stat()
    stat(path, &status)
    return status.st_mode & 0o777
  }

  /// A database with some pages, closed.
  private func make() async throws {
    let database = try open(folder.database)
    try await database.migrate([TestStore.migration])
    try await database.commit(
      Batch((0..<500).map { insertNote("n\($0)", body: String(repeating: "x", count: 200)) }), lane: .bulk)
    database.close()
    // All is in the one file, so that what the test damages is what is read.
    #expect(access(folder.database + "-wal", F_OK) != 0)
  }

  @Test func filesAreForTheOwnerOnly() async throws {
    let path = folder.path + "/data/store.db"
    let database = try open(path)
    try await database.migrate([])
    #expect(mode(folder.path + "/data") == 0o700)
    for suffix in ["", "-wal", "-shm", ".lock"] { #expect(mode(path + suffix) == 0o600, "\(suffix)") }
    database.close()
    for suffix in ["", ".lock"] { unlink(path + suffix) }
    rmdir(folder.path + "/data")
  }

  @Test func aSecondProcessIsRefused() throws {
    let database = try open(folder.database)
    #expect(throws: StorageError.inUse(path: folder.database, process: String(getpid()))) { try open(folder.database) }
    // flock(1) is that other process.
    #expect(otherProcessTakesLock() == false)
    database.close()
    #expect(otherProcessTakesLock() == true)
    try open(folder.database).close()
  }

  private func otherProcessTakesLock() -> Bool? {
    var process = pid_t()
    let command: [String] = ["flock", "-n", folder.database + ".lock", "true"]
    let words: [UnsafeMutablePointer<CChar>?] = command.map { word in strdup(word) }
    defer { for word in words { free(word) } }
    guard posix_spawnp(&process, "flock", nil, nil, words + [nil], nil) == 0 else { return nil }
    var status: CInt = 0
    waitpid(process, &status, 0)
    return status == 0
  }

  @Test func anotherProgramsDatabaseIsRefusedAndLeftAsItIs() throws {
    write([], to: folder.database)
    let connection = try Connection(path: folder.database, role: .writer, limits: SQLiteLimits())
    try connection.execute("CREATE TABLE theirs (id INTEGER)")
    let before = content(folder.database)
    #expect(throws: StorageError.foreignFile(path: folder.database, reason: "it holds another program's tables")) {
      try open(folder.database)
    }
    let isAsItWas = content(folder.database) == before
    #expect(isAsItWas)
    try connection.execute("PRAGMA application_id = 7")
    #expect(throws: StorageError.foreignFile(path: folder.database, reason: "its application id is 7")) {
      try open(folder.database)
    }
  }

  @Test func aFileThatIsNoDatabaseIsRefusedAndLeftAsItIs() throws {
    let text = Array(String(repeating: "These are my notes. ", count: 300).utf8)
    write(text, to: folder.database)
    #expect(throws: StorageError.foreignFile(path: folder.database, reason: "the file is not a database")) {
      try open(folder.database)
    }
    let isAsItWas = content(folder.database) == text
    #expect(isAsItWas)
  }

  @Test func aMissingFolderIsSaid() {
    let path = folder.path + "/missing/too/store.db"
    let error = #expect(throws: StorageError.self) { try open(path) }
    let reason = "cannot create the folder \(folder.path)/missing/too: the folder above it is missing"
    #expect(error == .cannotOpen(path: path, reason: reason))
  }

  @Test func aFolderThatCannotBeWrittenIsSaid() {
    // Even root may not create anything here.
    let path = "/sys/kernel/mainstay/store.db"
    let error = #expect(throws: StorageError.self) { try open(path) }
    guard case .cannotOpen(path, let reason) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(reason.hasPrefix("cannot create the folder /sys/kernel/mainstay: "))
  }

  @Test func aFolderInPlaceOfTheFileIsSaid() {
    mkdir(folder.database, 0o700)
    defer { rmdir(folder.database) }
    #expect(throws: StorageError.cannotOpen(path: folder.database, reason: "it is a folder")) {
      try open(folder.database)
    }
  }

  @Test func aTruncatedFileIsDamaged() async throws {
    try await make()
    truncate(folder.database, 8_192)
    let error = #expect(throws: StorageError.self) { try open(folder.database) }
    guard case .corrupt(folder.database, _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test func overwrittenPagesAreDamageAndNotAWrongAnswer() async throws {
    try await make()
    let size = content(folder.database).count
    write(Array(repeating: 0x5A, count: size - 4_096), to: folder.database, at: 4_096)
    let error = await #expect(throws: StorageError.self) {
      let database = try open(folder.database)
      return try await database.query(Statement("SELECT count(*), max(body) FROM note"), access: .scan)
    }
    guard case .corrupt(folder.database, _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test func closingLeavesOneFile() async throws {
    for _ in 0..<20 {
      let database = try open(folder.database)
      try await database.migrate([])
      _ = try await database.query(Statement("SELECT count(*) FROM event"), access: .scan)
      _ = try await database.query(Statement("SELECT count(*) FROM event"), access: .point)
      database.close()
      #expect(access(folder.database + "-wal", F_OK) != 0)
    }
  }

  @Test func theStatementCacheIsBounded() throws {
    write([], to: folder.database)
    var limits = SQLiteLimits()
    limits.cachedStatements = 8
    let connection = try Connection(path: folder.database, role: .reader, limits: limits)
    let cost = QueryLimits(steps: 10_000, rows: 10)
    for number in 0..<100 {
      #expect(try connection.query(Statement("SELECT \(number)"), limits: cost)[0].integer(0) == Int64(number))
      #expect(try connection.query(Statement("SELECT 'always'"), limits: cost)[0].text(0) == "always")
      #expect(connection.cachedStatements <= 8)
    }
  }
}
