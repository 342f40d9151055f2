/// A 64-bit FNV-1a hash over texts: tells one from another for checksums and tokens. It is no protection against
/// somebody who wants two texts to agree.
public struct Fingerprint: Hashable, Sendable {
  /// The hash of what was added so far.
  public private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

  /// The fingerprint of nothing.
  public init() {}

  /// Adds bytes.
  public mutating func add(_ bytes: some Sequence<UInt8>) {
    for byte in bytes { value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
  }

  /// Adds a text and an end mark, so that "ab", "c" and "a", "bc" differ.
  public mutating func add(_ text: String) {
    add(text.utf8)
    add(CollectionOfOne(0xFF))
  }
}
