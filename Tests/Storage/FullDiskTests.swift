import Core
import Glibc
import Storage
import StorageSQLite
import Testing

/// A file system of its own in memory, as large as it was asked for; nil where this user may not mount one.
final class SmallFileSystem {
  let path: String
  private let folder = TemporaryFolder()

  init?(mebibytes: Int) {
    path = folder.path + "/disk"
    mkdir(path, 0o700)
    guard Self.run(["mount", "-t", "tmpfs", "-o", "size=\(mebibytes)m", "none", path]) else {
      rmdir(path)
      return nil
    }
  }

  deinit {
    _ = Self.run(["umount", path])
    rmdir(path)
  }

  func makeReadOnly() -> Bool { Self.run(["mount", "-o", "remount,ro", path]) }

  private static func run(_ command: [String]) -> Bool {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)
    var process = pid_t()
    let words: [UnsafeMutablePointer<CChar>?] = command.map { word in strdup(word) }
    defer { for word in words { free(word) } }
    guard posix_spawnp(&process, command[0], &actions, nil, words + [nil], environ) == 0 else { return false }
    var status: CInt = 0
    waitpid(process, &status, 0)
    return status == 0
  }
}

@Suite struct FullDiskTests {
  private static let skipped = "skipped: this user may not mount a file system"

  private func fill(_ path: String) {
    let file = open(path, O_WRONLY | O_CREAT, 0o600)
    defer { close(file) }
    let block = [UInt8](repeating: 1, count: 4_096)
    while write(file, block, block.count) > 0 {}
  }

  private func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  @Test func aFullDiskCostsTheReserveAndRoomBringsItBack() async throws {
    guard let disk = SmallFileSystem(mebibytes: 12) else { return print(Self.skipped) }
    let path = disk.path + "/store.db"
    var limits = SQLiteLimits()
    limits.reservedBytes = 1 << 20
    let clock = ManualClock()
    let database = try SQLiteDatabase(path: path, clock: clock, limits: limits)
    try await database.migrate([TestStore.migration])
    #expect(exists(path + ".reserve"))
    fill(disk.path + "/other")
    var written: Int64 = 0
    var refusal: StorageError?
    while refusal == nil {
      do {
        try await database.commit(
          Batch([insertNote("n\(written)", body: String(repeating: "x", count: 3_000))]), lane: .interactive)
        written += 1
      } catch { refusal = error as? StorageError ?? .closed }
    }
    #expect(refusal == .full(path: path))
    #expect(!exists(path + ".reserve"))
    // What was freed is for the clean stop, not for more rows.
    await #expect(throws: StorageError.full(path: path)) {
      try await database.commit(Batch([insertNote("small")]), lane: .interactive)
    }
    database.close()
    #expect(!exists(path + "-wal"))
    let again = try SQLiteDatabase(path: path, clock: clock, limits: limits)
    defer { again.close() }
    let count = try await again.row(Statement("SELECT count(*) FROM note"))
    #expect(try count?.integer(0) == written)
    unlink(disk.path + "/other")
    try await again.commit(Batch([insertNote("small")]), lane: .interactive)
    #expect(exists(path + ".reserve"))
  }

  @Test func aReadOnlyDiskIsSaid() async throws {
    guard let disk = SmallFileSystem(mebibytes: 12) else { return print(Self.skipped) }
    let path = disk.path + "/store.db"
    func make() async throws {
      let database = try SQLiteDatabase(path: path, clock: ManualClock())
      try await database.migrate([TestStore.migration])
      database.close()
    }
    try await make()
    #expect(disk.makeReadOnly())
    let error = #expect(throws: StorageError.self) { try SQLiteDatabase(path: path, clock: ManualClock()) }
    #expect(
      error == .cannotOpen(path: path, reason: "cannot write in the folder \(disk.path): the file system is read-only"))
  }
}
