import AuditProof
import Glibc
import Storage
import Synchronization

/// Checkpoints outside the database: a file to which each is added, for whoever shall not have to trust the database. It is opened
/// anew each time, so that it may be moved away at any time.
public final class CheckpointFile: Sendable {
  /// Bytes at the end of the file in which the last note is looked for.
  private static let tailBytes = 16_384

  private let path: String
  private let lastNote = Mutex<String?>(nil)

  /// The file at a path, whose folder is made if it is missing (0700).
  public init(path: String) { self.path = path }

  /// Leaves that the last note tells of which this process knows to be on the disk; 0 before.
  public var exportedLeaves: Int64 { lastNote.withLock { $0 }.flatMap { try? Checkpoint(unverified: $0).size } ?? 0 }

  /// Adds a note, unless it is the last one that is there, and returns when it is on the disk. Does so on a thread of its own: a disk
  /// may take its time, and an event loop has none.
  public func add(_ note: String) async throws {
    if lastNote.withLock({ $0 }) == note { return }
    try await onThreadOfItsOwn { [self] in try append(note) }
    lastNote.withLock { $0 = note }
  }

  private func append(_ note: String) throws {
    let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    if !folder.isEmpty, mkdir(folder, 0o700) != 0, errno != EEXIST { throw failure("make the folder of") }
    let file = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw failure("open") }
    defer { close(file) }
    let (tail, endsCleanly) = try end(of: file)
    if CheckpointNotes.split(tail).last == note { return }
    // Behind a note that was cut off by a crash, an empty line begins anew.
    let bytes = Array(((endsCleanly ? "" : "\n\n") + CheckpointNotes.entry(note)).utf8)
    var written = 0
    while written < bytes.count {
      let count = bytes[written...].withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw failure("write") }
      written += count
    }
    guard fsync(file) == 0 else { throw failure("write to the disk") }
  }

  private func end(of file: Int32) throws -> (text: String, endsCleanly: Bool) {
    let size = lseek(file, 0, SEEK_END)
    guard size >= 0 else { throw failure("read") }
    var bytes = [UInt8](repeating: 0, count: min(Int(size), CheckpointFile.tailBytes))
    let count = pread(file, &bytes, bytes.count, off_t(Int(size) - bytes.count))
    guard count == bytes.count else { throw failure("read") }
    let endsCleanly = bytes.isEmpty || bytes.suffix(2) == [0x0A, 0x0A]
    return (String(decoding: bytes, as: UTF8.self), endsCleanly)
  }

  private func failure(_ action: String) -> AuditFailure {
    AuditFailure(
      "cannot \(action) the checkpoint file \(path): \(String(cString: strerror(errno))); make room there, or let "
        + "audit.checkpoint_file name another place")
  }
}

/// Runs what may block on a thread that ends with it.
func onThreadOfItsOwn(_ body: @escaping @Sendable () throws -> Void) async throws {
  final class Work: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }
  try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
    let work = Unmanaged.passRetained(Work { continuation.resume(with: Result { try body() }) })
    var thread = pthread_t()
    let code = pthread_create(
      &thread, nil,
      { context in
        if let context { Unmanaged<Work>.fromOpaque(context).takeRetainedValue().run() }
        return nil
      }, work.toOpaque())
    if code == 0 {
      pthread_detach(thread)
    } else {
      work.release()
      continuation.resume(throwing: AuditFailure("no more threads (system error \(code))"))
    }
  }
}
