extension HouseRules {
  /// A function reads at one level. Counted from the line of `func`, `init` or `deinit` to its closing brace.
  static func functionLength(_ file: SourceText) -> [Violation] {
    let declaration = /^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:\w+(?:\(\w+\))?\s+)*(?:func\s|init[?(<]|deinit\b)/
    return file.code.indices.compactMap { start in
      guard file.code[start].contains(declaration) else { return nil }
      guard let end = bodyEnd(file.code, from: start), end - start + 1 > maximumFunctionLines else { return nil }
      return Violation(path: file.path, line: start + 1, problem: "a function of \(end - start + 1) lines")
    }
  }

  /// Index of the line that closes the body of the declaration that starts here; nil if it has none (a requirement
  /// of a protocol). The body is the first brace outside parentheses; a line that neither has it nor leads to it ends
  /// the search.
  private static func bodyEnd(_ code: [String], from start: Int) -> Int? {
    var parentheses = 0
    var braces = 0
    for index in start..<code.count {
      for character in code[index] {
        switch character {
        case "(", "[": parentheses += 1
        case ")", "]": parentheses -= 1
        case "{" where parentheses == 0 || braces > 0: braces += 1
        case "}" where braces > 0:
          braces -= 1
          if braces == 0 { return index }
        case "}" where parentheses == 0: return nil
        default: break
        }
      }
      guard braces == 0, parentheses == 0 else { continue }
      let leadsOn = index + 1 < code.count && code[index + 1].contains(/^\s*(?:->|where\b|async\b|throws\b|\{)/)
      if !leadsOn { return nil }
    }
    return nil
  }

  /// Whoever calls a public symbol must not have to read its source: each has a comment that starts with `///`.
  /// Requirements of a public protocol are public as well. Cases of an enum may be explained together above it.
  static func publicSymbolsAreDocumented(_ file: SourceText) -> [Violation] {
    var found: [Violation] = []
    var blocks: [Block] = []
    for (index, line) in file.code.enumerated() {
      if needsDocument(line, in: blocks.last), !isDocumented(file, at: index) {
        found.append(Violation(path: file.path, line: index + 1, problem: "public and without a comment"))
      }
      var opening = Block(declaredBy: line)
      for character in line {
        if character == "{" {
          blocks.append(opening)
          opening = .other
        } else if character == "}" {
          _ = blocks.popLast()
        }
      }
    }
    return found
  }

  /// What a pair of braces encloses, as far as the rule cares.
  private enum Block {
    case publicProtocol, other

    init(declaredBy line: String) {
      let mayBeProtocol = line.contains("protocol ")
      self = mayBeProtocol && line.contains(/\bpublic\s+(?:\w+\s+)*protocol\b/) ? .publicProtocol : .other
    }
  }

  private static func needsDocument(_ line: String, in block: Block?) -> Bool {
    let mayBePublic = line.contains("public ") || line.contains("open ")
    if mayBePublic, line.contains(/^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:public|open)\s+(?!import\b|extension\b)/) {
      return true
    }
    guard block == .publicProtocol else { return false }
    return line.contains(/^\s*(?:static\s+|mutating\s+)*(?:func|var|init|subscript|associatedtype)\b/)
  }

  private static func isDocumented(_ file: SourceText, at index: Int) -> Bool {
    var above = index - 1
    while above >= 0, file.lines[above].contains(/^\s*(?:@|#if|#endif|\/\/ swift-format-ignore)/) { above -= 1 }
    return above >= 0 && file.lines[above].contains(/^\s*(?:\/\/\/|.*\*\/\s*$)/)
  }
}
