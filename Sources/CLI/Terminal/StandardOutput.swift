import Glibc

/// What the command prints, gathered into large writes. Confined to one task.
final class StandardOutput {
  /// Bytes that are gathered before they are written.
  private static let bufferBytes = 65_536

  private var buffer: [UInt8] = []

  /// Adds text; it is seen after `flush`.
  func write(_ text: String) {
    buffer.append(contentsOf: text.utf8)
    if buffer.count >= StandardOutput.bufferBytes { flush() }
  }

  /// Writes what was gathered. A reader that is gone ends the process quietly, as it does other Unix commands.
  func flush() {
    var written = 0
    while written < buffer.count {
      let count = buffer[written...].withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
      if count > 0 {
        written += count
      } else if errno == EPIPE {
        signal(SIGPIPE, SIG_DFL)
        raise(SIGPIPE)
        exit(1)
      } else if errno != EINTR {
        StandardError.write("mainstay: cannot write the output: \(String(cString: strerror(errno)))\n")
        exit(1)
      }
    }
    buffer.removeAll(keepingCapacity: true)
  }
}

/// Messages for the person, apart from the output.
enum StandardError {
  /// Writes at once; what cannot be written is lost.
  static func write(_ text: String) {
    let bytes = Array(text.utf8)
    _ = bytes.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }
}
