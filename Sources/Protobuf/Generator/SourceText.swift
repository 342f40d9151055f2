/// Source code in the making, with its indentation.
struct SourceText {
  private(set) var lines: [String] = []
  private var depth = 0

  /// The text with a line feed at the end.
  var text: String { lines.joined(separator: "\n") + "\n" }

  mutating func line(_ text: String = "") {
    lines.append(text.isEmpty ? "" : String(repeating: " ", count: depth * 2) + text)
  }

  /// `opening {`, what the body writes one step further in, `}`.
  mutating func block(_ opening: String, closing: String = "}", _ body: (inout SourceText) -> Void) {
    line(opening + " {")
    indented(body)
    line(closing)
  }

  mutating func indented(_ body: (inout SourceText) -> Void) {
    depth += 1
    body(&self)
    depth -= 1
  }

  /// A doc comment from a proto comment.
  mutating func documentation(_ comment: String, otherwise: String) {
    let text = comment.isEmpty ? otherwise : comment
    for part in text.split(separator: "\n", omittingEmptySubsequences: false) {
      let trimmed = part.hasPrefix(" ") ? part.dropFirst() : part
      if trimmed.isEmpty { continue }
      line("/// \(trimmed)")
    }
  }
}
