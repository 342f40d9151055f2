import Core

/// How a file writes days: yyyy, MM and dd with whatever stands between them, for example "yyyyMMdd" or "dd.MM.yyyy".
struct DateFormat: Equatable, Sendable {
  private enum Part: Equatable, Sendable {
    case year, month, day
    case literal(Character)
  }

  /// ISO 8601.
  static let iso = DateFormat(parts: [.year, .literal("-"), .month, .literal("-"), .day])

  private let parts: [Part]

  private init(parts: [Part]) { self.parts = parts }

  /// Reads a pattern; nil unless it has each of yyyy, MM and dd once and no other letters.
  init?(_ pattern: String) {
    var parts: [Part] = []
    var rest = pattern[...]
    while let first = rest.first {
      if rest.hasPrefix("yyyy") {
        parts.append(.year)
        rest = rest.dropFirst(4)
      } else if rest.hasPrefix("MM") {
        parts.append(.month)
        rest = rest.dropFirst(2)
      } else if rest.hasPrefix("dd") {
        parts.append(.day)
        rest = rest.dropFirst(2)
      } else {
        guard !(first.isASCII && first.isLetter) else { return nil }
        parts.append(.literal(first))
        rest = rest.dropFirst()
      }
    }
    for part in [Part.year, .month, .day] where parts.filter({ $0 == part }).count != 1 { return nil }
    self.parts = parts
  }

  /// The day; nil if the text is no such day.
  func day(_ text: String) -> CivilDate? {
    var (year, month, day) = (0, 0, 0)
    var rest = text[...]
    func number(_ count: Int) -> Int? {
      let digits = rest.prefix(count)
      guard digits.count == count, digits.allSatisfy({ $0.isASCII && $0.isNumber }) else { return nil }
      rest = rest.dropFirst(count)
      return Int(digits)
    }
    for part in parts {
      switch part {
      case .year:
        guard let value = number(4) else { return nil }
        year = value
      case .month:
        guard let value = number(2) else { return nil }
        month = value
      case .day:
        guard let value = number(2) else { return nil }
        day = value
      case .literal(let character):
        guard rest.first == character else { return nil }
        rest = rest.dropFirst()
      }
    }
    return rest.isEmpty ? CivilDate(year: year, month: month, day: day) : nil
  }
}
