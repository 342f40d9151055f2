import Glibc

/// What the person's terminal can do.
struct Terminal: Sendable {
  /// Whether the output goes to a terminal.
  let isInteractive: Bool
  /// Whether progress can be shown on standard error.
  let showsProgress: Bool
  /// Whether colours are wanted: at a terminal, unless NO_COLOR is set (no-color.org) or the terminal is dumb.
  let showsColors: Bool

  /// The terminal of this process.
  static func current() -> Terminal {
    let dumb = environmentVariable("TERM") == "dumb"
    let isInteractive = isatty(STDOUT_FILENO) == 1
    return Terminal(
      isInteractive: isInteractive, showsProgress: isatty(STDERR_FILENO) == 1 && !dumb,
      showsColors: isInteractive && !dumb && (environmentVariable("NO_COLOR") ?? "").isEmpty)
  }
}

/// A variable of the environment; nil if it is not set.
func environmentVariable(_ name: String) -> String? {
  getenv(name).map { String(cString: $0) }
}
