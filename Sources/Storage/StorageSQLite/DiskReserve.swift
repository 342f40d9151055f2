import Glibc
import Storage
import Synchronization

/// Disk space held beside the database in a file of its own. When the disk is full it is given up, so that what was committed
/// can be moved into the database and the process can stop cleanly; from then on nothing is written until there is room for it
/// again, and as much besides.
final class DiskReserve: Sendable {
  private let path: String
  private let bytes: Int
  private let isHeld: Mutex<Bool>

  /// Takes the space, in `<path>.reserve`; on a full disk it begins without.
  init(path: String, bytes: Int) {
    self.path = path + ".reserve"
    self.bytes = bytes
    isHeld = Mutex(true)
    if bytes > 0 { isHeld.withLock { $0 = take() } }
  }

  /// Frees the space. False if it was free.
  @discardableResult
  func giveUp() -> Bool {
    isHeld.withLock { isHeld in
      defer { isHeld = bytes == 0 }
      if isHeld, bytes > 0 { unlink(path) }
      return isHeld
    }
  }

  /// Whether the space is held; takes it again when there is room.
  func isThere() -> Bool {
    isHeld.withLock { isHeld in
      if !isHeld, freeBytes() >= 2 * bytes { isHeld = take() }
      return isHeld
    }
  }

  /// False only if there is no room: a file system that cannot hold space needs no reserve to be written.
  private func take() -> Bool {
    let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard file >= 0 else { return errno != ENOSPC && errno != EDQUOT }
    defer { close(file) }
    let code = posix_fallocate(file, 0, off_t(bytes))
    guard code == ENOSPC || code == EDQUOT else { return true }
    unlink(path)
    return false
  }

  private func freeBytes() -> Int {
    var status = statvfs()
    let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    guard statvfs(folder, &status) == 0 else { return .max }
    return Int(clamping: UInt64(status.f_bavail) &* UInt64(status.f_frsize))
  }
}
