import Core

/// A request as JSON with places that each call fills anew:
///
///     {{counter}}          0, 1, 2 …, once each in a run
///     {{random}}           0 to 999,999,999
///     {{random:MIN:MAX}}   MIN to MAX
///     {{uuid}}             32 random hexadecimal digits
struct RequestText: Sendable, Equatable {
  private enum Part: Sendable, Equatable {
    case text(String)
    case counter
    case number(ClosedRange<Int64>)
    case uuid
  }

  private let parts: [Part]

  /// Reads a text; throws if something stands in double braces that is no placeholder.
  init(_ text: String) throws(LoadFailure) {
    var parts: [Part] = []
    var rest = text[...]
    while let begin = RequestText.position(of: "{{", in: rest) {
      let inner = rest[rest.index(begin, offsetBy: 2)...]
      // "{{" may as well be two JSON objects, one in the other, though JSON has no use for it.
      guard let end = RequestText.position(of: "}}", in: inner) else {
        throw .usage("\"{{\" without \"}}\" in the request")
      }
      if begin > rest.startIndex { parts.append(.text(String(rest[..<begin]))) }
      parts.append(try RequestText.placeholder(String(inner[..<end])))
      rest = inner[inner.index(end, offsetBy: 2)...]
    }
    if !rest.isEmpty { parts.append(.text(String(rest))) }
    self.parts = parts
  }

  /// Whether all calls have the same request.
  var isConstant: Bool { parts.allSatisfy { if case .text = $0 { true } else { false } } }

  /// The request of one call.
  func filled(counter: Int, random: inout SeededGenerator) -> String {
    var text = ""
    for part in parts {
      switch part {
      case .text(let constant): text += constant
      case .counter: text += String(counter)
      case .number(let range): text += String(Int64.random(in: range, using: &random))
      case .uuid:
        for _ in 0..<2 {
          let digits = String(random.next(), radix: 16)
          text += String(repeating: "0", count: 16 - digits.count) + digits
        }
      }
    }
    return text
  }

  private static func placeholder(_ name: String) throws(LoadFailure) -> Part {
    let words = name.split(separator: ":", omittingEmptySubsequences: false).map { $0.filter { $0 != " " } }
    switch words.first {
    case "counter" where words.count == 1: return .counter
    case "uuid" where words.count == 1: return .uuid
    case "random" where words.count == 1: return .number(0...999_999_999)
    case "random" where words.count == 3:
      if let least = Int64(words[1]), let most = Int64(words[2]), least <= most { return .number(least...most) }
    default: break
    }
    throw .usage("{{\(name)}} is no placeholder; there are {{counter}}, {{random}}, {{random:MIN:MAX}} and {{uuid}}")
  }

  private static func position(of pair: String, in text: Substring) -> String.Index? {
    var index = text.startIndex
    while index < text.endIndex {
      if text[index...].hasPrefix(pair) { return index }
      index = text.index(after: index)
    }
    return nil
  }
}
