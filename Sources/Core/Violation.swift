/// A rule that a value breaks, for the person who sent the value.
public struct Violation: Hashable, Sendable, CustomStringConvertible {
  /// Where, in proto names from the record's own message, for example "person.birth_date" or "identifiers[2].value".
  public let path: String
  /// What is wrong and what is expected. Never holds the value itself, which may be personal.
  public let reason: String

  /// A broken rule at a place.
  public init(_ path: String, _ reason: String) {
    self.path = path
    self.reason = reason
  }

  /// "person.birth_date: no such day".
  public var description: String { "\(path): \(reason)" }
}

/// A record that breaks at least one rule: all of them, in the order of the record's fields.
public struct InvalidRecord: Error, Equatable, CustomStringConvertible {
  /// At least one.
  public let violations: [Violation]

  /// A record with these faults.
  public init(_ violations: [Violation]) { self.violations = violations }

  /// All faults in one line: the reason of a rejected import row.
  public var description: String { violations.map(\.description).joined(separator: "; ") }
}

/// Collects what is wrong with a record, so that its sender sees all of it at once.
public struct ViolationList {
  /// What was found so far.
  public private(set) var violations: [Violation] = []

  /// Nothing wrong yet.
  public init() {}

  /// Notes a fault.
  public mutating func add(_ path: @autoclosure () -> String, _ reason: @autoclosure () -> String) {
    violations.append(Violation(path(), reason()))
  }

  /// Notes a fault unless the text's length in Unicode characters lies in the range.
  public mutating func check(_ text: String, length: ClosedRange<Int>, _ path: @autoclosure () -> String) {
    // A text never has more characters than bytes, which are counted for free.
    let bytes = text.utf8.count
    if bytes <= length.upperBound, bytes >= length.lowerBound * 4 { return }
    let characters = text.unicodeScalars.count
    if characters == 0, length.lowerBound > 0 {
      add(path(), "is empty; 1 to \(length.upperBound) characters are expected")
    } else if !length.contains(characters) {
      add(path(), "has \(characters) characters; at most \(length.upperBound) are allowed")
    }
  }

  /// Notes a fault if there are more elements than allowed.
  public mutating func check(count: Int, atMost limit: Int, _ path: @autoclosure () -> String) {
    if count > limit { add(path(), "has \(count) entries; at most \(limit) are allowed") }
  }

  /// Throws what was found.
  public func throwIfAny() throws(InvalidRecord) {
    if !violations.isEmpty { throw InvalidRecord(violations) }
  }
}
