import Foundation

/// Python scripts that play a foreign client or server.
public enum Python {
  /// The repository's folder: where tests are run from.
  public static let repository = FileManager.default.currentDirectoryPath

  /// An interpreter that has these modules: the repository's own environment, else the system's; nil if neither has.
  public static func interpreter(with modules: [String]) -> String? {
    let candidates = ["\(repository)/.venv/bin/python3", "/usr/bin/env python3"]
    return candidates.first { candidate in
      let words = candidate.split(separator: " ").map(String.init)
      guard FileManager.default.isExecutableFile(atPath: words[0]) else { return false }
      let imports = "import " + modules.joined(separator: ", ")
      return (try? run(words + ["-c", imports]).code) == 0
    }
  }

  /// Runs a script of the repository to its end; gives its exit code and all that it printed.
  public static func run(
    script: String, arguments: [String], modules: [String]
  ) throws -> (code: Int32, output: String)? {
    guard let interpreter = interpreter(with: modules) else { return nil }
    return try run(interpreter.split(separator: " ").map(String.init) + ["\(repository)/\(script)"] + arguments)
  }

  private static func run(_ words: [String]) throws -> (code: Int32, output: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: words[0])
    process.arguments = Array(words.dropFirst())
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: output, as: UTF8.self))
  }
}
