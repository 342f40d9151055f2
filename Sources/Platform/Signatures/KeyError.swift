/// Why a key cannot be used: one line for the person who must act, without anything of the key.
public struct KeyError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The line.
  public let description: String

  /// A line.
  public init(_ description: String) { self.description = description }
}
