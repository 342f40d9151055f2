import Foundation
import MainstayTesting

/// The package on disk, found from this file.
enum Repository {
  /// The package root.
  static let root = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// Files below a folder whose names end so, as paths from the root, in order.
  static func files(in folder: String, suffix: String) -> [String] {
    let names = FileManager.default.enumerator(atPath: root.appending(path: folder).path)?.compactMap { $0 as? String }
    return (names ?? []).filter { $0.hasSuffix(suffix) }.map { "\(folder)/\($0)" }.sorted()
  }

  /// The text of a file; fails the test when it cannot be read.
  static func text(_ path: String) throws -> String {
    try String(contentsOf: root.appending(path: path), encoding: .utf8)
  }

  /// The hand-written Swift files below Sources, read once.
  static func sources() throws -> [SourceText] {
    try cachedSources.get()
  }

  private static let cachedSources = Result { try swift(in: "Sources") }

  /// The hand-written Swift files below a folder.
  static func swift(in folder: String) throws -> [SourceText] {
    try files(in: folder, suffix: ".swift").map { SourceText(path: $0, text: try text($0)) }.filter { !$0.isGenerated }
  }

  /// Everything people read: the pages at the root, in docs/ and the cards in services/.
  static func documents() throws -> [(path: String, text: String)] {
    let atRoot = try FileManager.default.contentsOfDirectory(atPath: root.path).filter { $0.hasSuffix(".md") }
    let paths = atRoot.sorted() + files(in: "docs", suffix: ".md") + files(in: "services", suffix: ".md")
    return try paths.map { ($0, try text($0)) }
  }

  /// What `swift package dump-package` prints. It gets a scratch folder of its own, because the running `swift test`
  /// may hold the lock of the usual one.
  static func manifest() async throws -> Data {
    let scratch = try TemporaryFolder()
    let printed = try await run(
      ["swift", "package", "--package-path", root.path, "--scratch-path", scratch.path, "dump-package"])
    return Data(printed.output.utf8)
  }

  /// Runs a command in the package root, where tests are run from, with variables added to the environment.
  static func run(_ command: [String], environment: [String: String] = [:]) async throws -> Program.Result {
    try await Program.run("/usr/bin/env", command, environment: environment)
  }
}
