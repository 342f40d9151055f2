import Foundation

/// A program that a test runs to its end, or for a while.
public enum Program {
  /// What a program that has ended left behind.
  public struct Result: Sendable {
    /// Its exit code; the signal's number if one ended it.
    public let code: Int32
    /// Standard output.
    public let output: String
    /// Standard error.
    public let errors: String
  }

  /// The folder of Mainstay's programs: MAINSTAY_BIN, else what was built last here.
  public static var folder: String {
    if let folder = ProcessInfo.processInfo.environment["MAINSTAY_BIN"] { return folder }
    let candidates = [".build/debug", ".build/release"].map { "\(Python.repository)/\($0)" }
    return candidates.first { FileManager.default.isExecutableFile(atPath: "\($0)/mainstay") } ?? candidates[0]
  }

  /// Whether a program of Mainstay is there to be run.
  public static func exists(_ name: String) -> Bool {
    FileManager.default.isExecutableFile(atPath: "\(folder)/\(name)")
  }

  /// Runs one of Mainstay's programs, or with a slash in its name any program, and waits without holding a thread.
  public static func run(
    _ name: String, _ arguments: [String], environment: [String: String] = [:], input: String? = nil
  ) async throws -> Result {
    let running = try Running(name, arguments, environment: environment, input: input)
    return try await running.result()
  }

  /// A program that is running.
  public final class Running: Sendable {
    private let scratch: TemporaryFolder
    private let ended: AsyncStream<Int32>
    /// Its process id.
    public let identifier: Int32

    /// Starts it.
    public init(
      _ name: String, _ arguments: [String], environment: [String: String] = [:], input: String? = nil
    ) throws {
      scratch = try TemporaryFolder()
      for (file, text) in [("input", input ?? ""), ("output", ""), ("errors", "")] { try scratch.write(file, text) }
      let program = name.contains("/") ? name : "\(Program.folder)/\(name)"
      let variables = ProcessInfo.processInfo.environment.merging(environment) { $1 }
      let process = try Program.start([program] + arguments, variables.map { "\($0)=\($1)" }, in: scratch)
      identifier = process
      let (stream, continuation) = AsyncStream<Int32>.makeStream()
      ended = stream
      Thread.detachNewThread {
        continuation.yield(Program.waitForEnd(of: process))
        continuation.finish()
      }
    }

    /// What it has written to standard output until now.
    public var output: String { text("output") }
    /// What it has written to standard error until now.
    public var errors: String { text("errors") }

    /// Sends a signal.
    public func signal(_ number: Int32) { kill(identifier, number) }

    /// Waits for its end.
    public func result() async throws -> Result {
      var code: Int32 = -1
      for await value in ended { code = value }
      return Result(code: code, output: text("output"), errors: text("errors"))
    }

    private func text(_ name: String) -> String {
      (try? String(contentsOfFile: scratch.file(name), encoding: .utf8)) ?? ""
    }
  }

  /// Starts a program on the files of a folder, without the descriptors of this process. By posix_spawn: Foundation's `Process`
  /// on Linux reads beyond its memory when several are started at once (seen in 6.3.1).
  private static func start(_ words: [String], _ variables: [String], in folder: TemporaryFolder) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawnattr_init(&attributes)
    var arguments = words.map { strdup($0) } + [nil]
    var environment = variables.map { strdup($0) } + [nil]
    defer {
      posix_spawn_file_actions_destroy(&actions)
      posix_spawnattr_destroy(&attributes)
      for pointer in arguments + environment { free(pointer) }
    }
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, folder.file("input"), O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, folder.file("output"), O_WRONLY, 0)
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, folder.file("errors"), O_WRONLY, 0)
    // A test that waits for its peer to close would wait for a program that has inherited the descriptor.
    for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? [] {
      if let descriptor = Int32(name), descriptor > STDERR_FILENO { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
    }
    // What a thread of the tests blocks, the program must not; and a group of its own keeps the terminal's signals away.
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP))
    var process: pid_t = 0
    let failure = posix_spawn(&process, words[0], &actions, &attributes, &arguments, &environment)
    guard failure == 0 else {
      throw CocoaError(
        .executableNotLoadable,
        userInfo: [NSLocalizedDescriptionKey: "cannot start \(words[0]): \(String(cString: strerror(failure)))"])
    }
    return process
  }

  /// Holds its thread until the process has ended; its exit code, or the number of the signal that ended it.
  private static func waitForEnd(of process: pid_t) -> Int32 {
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0 {
      guard errno == EINTR else { return -1 }
    }
    let signal = status & 0x7f
    return signal == 0 ? (status >> 8) & 0xff : signal
  }
}

/// Tries until a condition holds, at most so long; false if it never did. For what no event announces, such as another process.
public func eventually(within limit: Duration = .seconds(60), _ condition: () async throws -> Bool) async rethrows
  -> Bool
{
  let end = ContinuousClock.now + limit
  while true {
    // Looked at before the condition, so that a task that got no thread for longer than the limit still asks once more.
    let isOver = ContinuousClock.now >= end
    if try await condition() { return true }
    if isOver { return false }
    try? await Task.sleep(for: .milliseconds(20))
  }
}
