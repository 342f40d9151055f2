import Foundation

/// What documents promise must exist.
enum DocumentRules {
  /// `make` targets in the code of a document that the Makefile lacks.
  static func unknownTargets(in text: String, makefile: String) -> [String] {
    let known = Set(
      makefile.split(separator: "\n").compactMap { $0.firstMatch(of: /^([a-z][a-z-]*):/).map { String($0.1) } })
    return words(after: "make", in: text).filter { !known.contains($0) }
  }

  /// Sub-commands of `mainstay` in the code of a document that the command line lacks.
  static func unknownCommands(in text: String, known: Set<String>) -> [String] {
    words(after: "mainstay", in: text).filter { !known.contains($0) }
  }

  /// Relative links of a document, without anchors.
  static func links(in text: String) -> [String] {
    text.matches(of: /\]\(([^)#\s]+)[^)]*\)/).map { String($0.1) }
      .filter { !$0.contains("://") && !$0.hasPrefix("mailto:") }
  }

  /// Names of sub-commands as the sources of the command line declare them: commandName: "customers".
  static func declaredCommands(in sources: [String]) -> Set<String> {
    Set(sources.flatMap { $0.matches(of: /commandName:\s*"([a-z-]+)"/).map { String($0.1) } })
  }

  /// The word that follows a command, wherever code names the command.
  private static func words(after command: String, in text: String) -> [String] {
    code(in: text).flatMap { line in
      line.split { " \t`;&|()$".contains($0) }.split { $0 == "#" }.flatMap { words in
        zip(words, words.dropFirst()).filter { $0.0 == command || $0.0.hasSuffix("/\(command)") }.map { String($0.1) }
      }
    }.filter { $0.contains(/^[a-z][a-z-]*$/) }
  }

  /// The code of a document: fenced blocks, indented lines and what stands between back-ticks.
  private static func code(in text: String) -> [String] {
    var fenced = false
    return text.split(separator: "\n", omittingEmptySubsequences: false).flatMap { line -> [String] in
      if line.drop(while: { $0 == " " }).hasPrefix("```") {
        fenced.toggle()
        return []
      }
      if fenced || line.hasPrefix("    ") { return [String(line)] }
      return line.matches(of: /`([^`]+)`/).map { String($0.1) }
    }
  }
}
