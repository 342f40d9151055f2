import Glibc

/// Only one supervisor works on a state folder: it holds a lock on run/supervisor.pid for as long as it lives. The kernel gives
/// the lock up with the process, so a file that was left behind is never taken for a running supervisor.
enum SupervisorLock {
  static func path(_ folder: StateFolder) -> String { "\(folder.run)/supervisor.pid" }

  /// Takes the lock until this process ends, and writes its id into the file; false if another process has it.
  static func take(_ folder: StateFolder) throws -> Bool {
    let descriptor = open(path(folder), O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw CommandFailure("cannot write \(path(folder)): \(systemReason())") }
    var lock = wholeFile()
    guard fcntl(descriptor, F_SETLK, &lock) == 0 else {
      close(descriptor)
      return false
    }
    // The descriptor stays open on purpose: closing it would give the lock up.
    let text = Array("\(getpid())\n".utf8)
    guard ftruncate(descriptor, 0) == 0, Glibc.write(descriptor, text, text.count) == text.count else {
      throw CommandFailure("cannot write \(path(folder)): \(systemReason())")
    }
    return true
  }

  /// The process that holds the lock; nil if none does.
  static func holder(_ folder: StateFolder) -> pid_t? {
    let descriptor = open(path(folder), O_RDWR | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var lock = wholeFile()
    guard fcntl(descriptor, F_GETLK, &lock) == 0, Int32(lock.l_type) != F_UNLCK, lock.l_pid > 0 else { return nil }
    return lock.l_pid
  }

  private static func wholeFile() -> flock {
    var lock = flock()
    lock.l_type = Int16(F_WRLCK)
    lock.l_whence = Int16(SEEK_SET)
    return lock
  }
}
