import Glibc

/// What the supervisor tells about a process.
struct ProcessRecord: Sendable, Equatable {
  /// What a process is doing.
  enum State: String, Sendable {
    /// It was started and has not ended.
    case running
    /// It has ended and is started again soon.
    case waiting
    /// It was stopped on purpose.
    case stopped
  }

  /// Name of the service.
  var name: String
  /// 0 if it does not run.
  var process: pid_t
  var state: State
  /// Times it was started again after it had ended by itself.
  var restarts: Int
  /// How it ended last, as an exit code; a signal is 128 and its number, as in shells.
  var lastExit: Int32
}

/// The file by which the supervisor tells others what it runs: one line per process, fields split by blanks.
enum ProcessTable {
  static func path(_ folder: StateFolder) -> String { "\(folder.run)/processes" }

  static func write(_ records: [ProcessRecord], to folder: StateFolder) throws {
    let lines = records.map { "\($0.name) \($0.process) \($0.state.rawValue) \($0.restarts) \($0.lastExit)\n" }
    try Files.write(lines.joined(), to: path(folder))
  }

  /// What was told last; empty if nothing was. Means something only while the supervisor runs.
  static func read(_ folder: StateFolder) -> [ProcessRecord] {
    guard Files.exists(path(folder)), let text = try? Files.text(path(folder)) else { return [] }
    return text.split(separator: "\n").compactMap { line in
      let parts = line.split(separator: " ")
      guard parts.count == 5, let process = pid_t(parts[1]),
        let state = ProcessRecord.State(rawValue: String(parts[2])),
        let restarts = Int(parts[3]), let lastExit = Int32(parts[4])
      else { return nil }
      return ProcessRecord(
        name: String(parts[0]), process: process, state: state, restarts: restarts, lastExit: lastExit)
    }
  }
}
