import Foundation

/// Python scripts that play a foreign client or server.
public enum Python {
  /// The repository's folder: where tests are run from.
  public static let repository = FileManager.default.currentDirectoryPath

  /// Runs a script of the repository to its end; nil if no interpreter here has these modules.
  public static func run(script: String, arguments: [String], modules: [String]) async throws -> Program.Result? {
    guard let interpreter = try await interpreter(with: modules) else { return nil }
    return try await Program.run(interpreter, ["\(repository)/\(script)"] + arguments)
  }

  /// An interpreter that has these modules: the one that MAINSTAY_PYTHON names, the repository's own environment, the
  /// system's; nil if none has.
  public static func interpreter(with modules: [String]) async throws -> String? {
    let named = ProcessInfo.processInfo.environment["MAINSTAY_PYTHON"].map { [$0] } ?? []
    let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
    let system = path.split(separator: ":").map { "\($0)/python3" }
    for candidate in named + ["\(repository)/.venv/bin/python3"] + system
    where FileManager.default.isExecutableFile(atPath: candidate) {
      let test = try await Program.run(candidate, ["-c", "import " + modules.joined(separator: ", ")])
      if test.code == 0 { return candidate }
    }
    return nil
  }
}
