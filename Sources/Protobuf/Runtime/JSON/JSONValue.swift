/// JSON as it was read. Numbers stay text, since protobuf's 64-bit integers do not fit into a Double.
public indirect enum JSONValue: Equatable {
  /// null.
  case null
  /// true or false.
  case bool(Bool)
  /// As it was written.
  case number(String)
  /// Without its escapes.
  case string(String)
  /// In order.
  case array([JSONValue])
  /// In the order of the text; names are unique.
  case object([Member])

  /// A name and its value.
  public struct Member: Equatable {
    /// The name.
    public let name: String
    /// The value.
    public let value: JSONValue
  }

  /// Reads JSON (RFC 8259) strictly, with at most so many arrays and objects inside each other.
  public static func parse(_ bytes: [UInt8], maximumDepth: Int) throws(JSONFailure) -> JSONValue {
    try JSONParser.parse(bytes, maximumDepth: maximumDepth)
  }

  /// For messages to people.
  var kind: String {
    switch self {
    case .null: "null"
    case .bool: "a boolean"
    case .number: "a number"
    case .string: "a string"
    case .array: "an array"
    case .object: "an object"
    }
  }
}

/// JSON that is not the JSON form of the message, or a message without a JSON form.
public struct JSONFailure: Error, Equatable, CustomStringConvertible {
  /// Where: field names, "[2]" for an element, "[\"key\"]" for a map's value; empty for the message itself.
  public let path: String
  /// What is wrong.
  public let reason: String

  init(_ reason: String, path: String = "") { (self.path, self.reason) = (path, reason) }

  /// For example "party.phones[2]: expected a string, found a number".
  public var description: String { path.isEmpty ? reason : "\(path): \(reason)" }

  /// The same, seen from a field further out.
  func inside(_ name: String) -> JSONFailure {
    let separator = path.isEmpty || path.hasPrefix("[") ? "" : "."
    return JSONFailure(reason, path: name + separator + path)
  }
}

/// Runs the body and puts a name before the path of what it throws.
func naming<Result>(
  _ name: @autoclosure () -> String, _ body: () throws(JSONFailure) -> Result
) throws(JSONFailure) -> Result {
  do throws(JSONFailure) { return try body() } catch { throw error.inside(name()) }
}

extension StringProtocol {
  /// Whether both are the same characters. `==` of Swift also takes an accent behind its letter for the letter with its accent, and
  /// the sign of Kelvin for K, which are different keys to everybody else.
  func isSame(as other: some StringProtocol) -> Bool { utf8.elementsEqual(other.utf8) }
}
