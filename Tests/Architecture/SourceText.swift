/// A Swift file as the rules read it.
struct SourceText {
  /// From the package root, for example "Sources/Core/Clock.swift".
  let path: String
  /// The lines as they stand.
  let lines: [String]
  /// The same lines with comments and the text of string literals replaced by blanks, so that rules see only code.
  /// What is interpolated into a string stays visible.
  let code: [String]

  init(path: String, text: String) {
    self.path = path
    lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    var blanker = Blanker(text)
    code = blanker.run().split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
  }

  /// Whether a program wrote it: such files are checked by the drift check instead.
  var isGenerated: Bool { path.contains("/Generated/") || path.hasSuffix(".pb.swift") }
}

/// Where a rule is broken.
struct Violation: CustomStringConvertible, Equatable {
  let path: String
  /// From 1; 0 for the whole file.
  let line: Int
  let problem: String

  var description: String { line == 0 ? "\(path): \(problem)" : "\(path):\(line): \(problem)" }
}

/// Replaces comments and string contents by blanks, keeping every line break in its place.
private struct Blanker {
  private let input: [Character]
  private var position = 0
  private var output: [Character] = []

  init(_ text: String) {
    input = Array(text)
    output.reserveCapacity(input.count)
  }

  mutating func run() -> String {
    code(until: nil)
    return String(output)
  }

  private func at(_ offset: Int, _ text: String) -> Bool {
    let start = position + offset
    let wanted = Array(text)
    return start + wanted.count <= input.count && Array(input[start..<start + wanted.count]) == wanted
  }

  private mutating func keep() {
    output.append(input[position])
    position += 1
  }

  private mutating func blank(_ count: Int = 1) {
    for _ in 0..<count where position < input.count {
      output.append(input[position].isNewline ? input[position] : " ")
      position += 1
    }
  }

  /// Copies code until the parenthesis that ends an interpolation, or to the end.
  private mutating func code(until end: Character?) {
    var depth = 0
    while position < input.count {
      switch input[position] {
      case "/" where at(1, "/"):
        while position < input.count, !input[position].isNewline { blank() }
      case "/" where at(1, "*"): blockComment()
      case "/" where startsRegex(): regex()
      case "\"": string(hashes: 0)
      case "#" where literalHashes() != nil: string(hashes: literalHashes() ?? 0)
      case "(":
        depth += 1
        keep()
      case ")":
        if depth == 0, end != nil { return }
        depth -= 1
        keep()
      default: keep()
      }
    }
  }

  /// A slash that follows an opening or an operator and no blank divides nothing.
  private func startsRegex() -> Bool {
    guard position + 1 < input.count, !input[position + 1].isWhitespace else { return false }
    return output.last { $0 != " " }.map { "(,:=[{&|".contains($0) || $0.isNewline } ?? true
  }

  private mutating func regex() {
    blank()
    while position < input.count, input[position] != "/", !input[position].isNewline {
      blank(input[position] == "\\" ? 2 : 1)
    }
    if position < input.count, input[position] == "/" { blank() }
  }

  private mutating func blockComment() {
    var depth = 0
    repeat {
      if at(0, "/*") {
        depth += 1
        blank(2)
      } else if at(0, "*/") {
        depth -= 1
        blank(2)
      } else {
        blank()
      }
    } while depth > 0 && position < input.count
  }

  /// The number of "#" here if a raw string starts, for example 2 at `##"`.
  private func literalHashes() -> Int? {
    var count = 0
    while at(count, "#") { count += 1 }
    return at(count, "\"") ? count : nil
  }

  private mutating func string(hashes: Int) {
    let fence = String(repeating: "#", count: hashes)
    let quotes = at(hashes, "\"\"\"") ? "\"\"\"" : "\""
    blank(hashes + quotes.count)
    while position < input.count {
      if at(0, quotes + fence) {
        blank(quotes.count + hashes)
        return
      }
      if at(0, "\\" + fence + "(") {
        blank(2 + hashes)
        code(until: ")")
        blank()
      } else if at(0, "\\" + fence) {
        blank(2 + hashes)
      } else if quotes.count == 1, input[position].isNewline {
        return
      } else {
        blank()
      }
    }
  }
}
