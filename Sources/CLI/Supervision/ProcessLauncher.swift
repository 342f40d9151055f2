import Glibc

/// Starts programs.
enum ProcessLauncher {
  /// A log that has grown beyond this is set aside when its process is started again; one earlier log is kept.
  static let maximumLogBytes = 67_108_864

  /// Starts a program with its output appended to a log. `newSession` lets it outlive this terminal.
  static func start(
    _ program: String, _ arguments: [String], log: String, newSession: Bool = false
  ) throws -> pid_t {
    setAside(log)
    closeAtExecution()
    var actions = posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawnattr_init(&attributes)
    defer {
      posix_spawn_file_actions_destroy(&actions)
      posix_spawnattr_destroy(&attributes)
    }
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO)
    // What this process ignores or blocks, its children must not.
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    sigaddset(&signals, SIGPIPE)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    var flags = Int32(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK)
    if newSession { flags |= spawnInNewSession }
    posix_spawnattr_setflags(&attributes, Int16(flags))

    var pointers = ([program] + arguments).map { strdup($0) }
    pointers.append(nil)
    defer { for pointer in pointers { free(pointer) } }
    var process: pid_t = 0
    let result = posix_spawn(&process, program, &actions, &attributes, pointers, environ)
    guard result == 0 else {
      throw CommandFailure("cannot start \(program) with its log \(log): \(String(cString: strerror(result)))")
    }
    return process
  }

  /// A descriptor that whoever started us has left open is no business of our children: one that waits for its other end to
  /// close would wait for as long as they run.
  private static func closeAtExecution() {
    for name in (try? Files.names(in: "/proc/self/fd")) ?? [] {
      if let descriptor = Int32(name), descriptor > STDERR_FILENO { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
    }
  }

  private static func setAside(_ log: String) {
    var status = stat()
    if stat(log, &status) == 0, status.st_size > maximumLogBytes { rename(log, "\(log).1") }
  }
}

/// POSIX_SPAWN_SETSID of <spawn.h>, which glibc hides from Swift.
private let spawnInNewSession: Int32 = 0x80
