/// Key-value pairs that travel with a call: ordered, keys in lower case, a key may stand more than once. A key that ends in
/// "-bin" has a binary value, which the transport carries in base64.
public struct Metadata: Sendable, Equatable {
  /// One pair.
  public struct Entry: Sendable, Equatable {
    /// Lower case.
    public let key: String
    /// UTF-8 of an ASCII value, or the bytes of a "-bin" value.
    public let value: [UInt8]

    /// The value as text.
    public var text: String { String(decoding: value, as: UTF8.self) }
  }

  /// All pairs in order.
  public private(set) var entries: [Entry] = []

  /// No pairs.
  public init() {}

  /// Whether there are none.
  public var isEmpty: Bool { entries.isEmpty }

  /// Adds an ASCII value behind those that are there. An entry that no header can carry (a key outside [a-z0-9_.-], a value
  /// outside printable ASCII) is not sent, so that no value can smuggle a header in.
  public mutating func add(_ key: String, _ text: String) {
    entries.append(Entry(key: key.lowercased(), value: Array(text.utf8)))
  }

  /// Adds a binary value; the key must end in "-bin".
  public mutating func addBinary(_ key: String, _ value: [UInt8]) {
    entries.append(Entry(key: key.lowercased(), value: value))
  }

  /// Removes all pairs with this lower-case key.
  public mutating func remove(_ key: String) {
    entries.removeAll { $0.key == key }
  }

  /// The first value of this lower-case key as text.
  public func first(_ key: String) -> String? {
    entries.first { $0.key == key }?.text
  }

  /// All values of this lower-case key.
  public func values(_ key: String) -> [[UInt8]] {
    entries.filter { $0.key == key }.map(\.value)
  }

  /// Adds all pairs of another one.
  public mutating func add(contentsOf other: Metadata) {
    entries.append(contentsOf: other.entries)
  }
}
