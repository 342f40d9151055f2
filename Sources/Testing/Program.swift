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
    private let process: Process
    private let scratch: TemporaryFolder
    private let ended: AsyncStream<Int32>

    /// Starts it.
    public init(
      _ name: String, _ arguments: [String], environment: [String: String] = [:], input: String? = nil
    ) throws {
      scratch = try TemporaryFolder()
      process = Process()
      process.executableURL = URL(fileURLWithPath: name.contains("/") ? name : "\(Program.folder)/\(name)")
      process.arguments = arguments
      process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
      try scratch.write("input", input ?? "")
      try scratch.write("output", "")
      try scratch.write("errors", "")
      let handles = [
        try FileHandle(forReadingFrom: URL(fileURLWithPath: scratch.file("input"))),
        try FileHandle(forWritingTo: URL(fileURLWithPath: scratch.file("output"))),
        try FileHandle(forWritingTo: URL(fileURLWithPath: scratch.file("errors"))),
      ]
      // The program has its own by then; a Process keeps what it is given for longer than a suite has descriptors.
      defer { for handle in handles { try? handle.close() } }
      process.standardInput = handles[0]
      process.standardOutput = handles[1]
      process.standardError = handles[2]
      let (stream, continuation) = AsyncStream<Int32>.makeStream()
      ended = stream
      process.terminationHandler = {
        continuation.yield($0.terminationStatus)
        continuation.finish()
      }
      try process.run()
    }

    /// Its process id.
    public var identifier: Int32 { process.processIdentifier }

    /// What it has written to standard output until now.
    public var output: String { text("output") }

    /// Sends a signal.
    public func signal(_ number: Int32) { kill(process.processIdentifier, number) }

    /// Waits for its end.
    public func result() async throws -> Result {
      var code: Int32 = process.isRunning ? 0 : process.terminationStatus
      for await value in ended { code = value }
      return Result(code: code, output: text("output"), errors: text("errors"))
    }

    private func text(_ name: String) -> String {
      (try? String(contentsOfFile: scratch.file(name), encoding: .utf8)) ?? ""
    }
  }
}

/// Tries until a condition holds, at most so long; false if it never did. For what no event announces, such as another process.
public func eventually(within limit: Duration = .seconds(60), _ condition: () async throws -> Bool) async rethrows
  -> Bool
{
  let end = ContinuousClock.now + limit
  while ContinuousClock.now < end {
    if try await condition() { return true }
    try? await Task.sleep(for: .milliseconds(20))
  }
  return false
}
