import Glibc

/// Runs a program to its end and reads what it prints.
enum ProgramOutput {
  /// Longest line that is read; the rest of it is left out.
  static let maximumLineBytes = 1 << 20

  /// Gives each line of its standard output; returns its exit code.
  static func lines(of program: String, _ arguments: [String], _ onLine: (String) -> Void) throws -> Int32 {
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { throw CommandFailure("no more files: \(String(cString: strerror(errno)))") }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
    var pointers = ([program] + arguments).map { strdup($0) }
    pointers.append(nil)
    defer { for pointer in pointers { free(pointer) } }
    var process: pid_t = 0
    let code = posix_spawn(&process, program, &actions, nil, pointers, environ)
    close(ends[1])
    defer { close(ends[0]) }
    guard code == 0 else { throw CommandFailure("cannot start \(program): \(String(cString: strerror(code)))") }
    read(ends[0], onLine)
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0, errno == EINTR {}
    let signal = status & 0x7F
    return signal == 0 ? (status >> 8) & 0xFF : 128 + signal
  }

  private static func read(_ file: Int32, _ onLine: (String) -> Void) {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    var line: [UInt8] = []
    while true {
      let count = Glibc.read(file, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { break }
      for byte in buffer.prefix(count) {
        if byte == UInt8(ascii: "\n") {
          onLine(String(decoding: line, as: UTF8.self))
          line = []
        } else if line.count < maximumLineBytes {
          line.append(byte)
        }
      }
    }
    if !line.isEmpty { onLine(String(decoding: line, as: UTF8.self)) }
  }
}
