/// Reads the fields of one message from wire bytes, one after the other, without knowing its type.
public struct WireReader {
  /// A field's content as the wire has it.
  public enum Value: Equatable {
    /// Wire type 0.
    case varint(UInt64)
    /// Wire type 1.
    case fixed64(UInt64)
    /// Wire type 2: strings, bytes, messages, packed numbers.
    case bytes(ArraySlice<UInt8>)
    /// Wire type 5.
    case fixed32(UInt32)
  }

  private let bytes: ArraySlice<UInt8>
  private var index: Int

  /// A reader of a whole message.
  public init(_ bytes: ArraySlice<UInt8>) {
    self.bytes = bytes
    index = bytes.startIndex
  }

  /// A reader of a whole message.
  public init(_ bytes: [UInt8]) { self.init(bytes[...]) }

  /// Whether all has been read.
  public var isAtEnd: Bool { index >= bytes.endIndex }

  /// The next field; nil at the end.
  public mutating func next() throws(WireFailure) -> (number: Int, value: Value)? {
    guard !isAtEnd else { return nil }
    let tag = try varint()
    guard tag <= UInt64(UInt32.max), tag >> 3 != 0 else { throw WireFailure("invalid tag") }
    let number = Int(tag >> 3)
    switch tag & 7 {
    case 0: return (number, .varint(try varint()))
    case 1: return (number, .fixed64(try fixed64()))
    case 2:
      let length = try varint()
      guard length <= UInt64(bytes.endIndex - index) else { throw WireFailure("length goes beyond the message") }
      let content = bytes[index..<index + Int(length)]
      index += Int(length)
      return (number, .bytes(content))
    case 5: return (number, .fixed32(try fixed32()))
    default: throw WireFailure("groups are not supported")
    }
  }

  /// The next number of a packed field of varints.
  public mutating func varint() throws(WireFailure) -> UInt64 {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while index < bytes.endIndex {
      let byte = bytes[index]
      index += 1
      guard shift < 63 || byte <= 1 else { throw WireFailure("varint is too long") }
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
      shift += 7
    }
    throw WireFailure("varint is cut off")
  }

  /// The next number of a packed field of eight-byte numbers.
  public mutating func fixed64() throws(WireFailure) -> UInt64 {
    let low = try fixed32()
    return UInt64(try fixed32()) << 32 | UInt64(low)
  }

  /// The next number of a packed field of four-byte numbers.
  public mutating func fixed32() throws(WireFailure) -> UInt32 {
    guard bytes.endIndex - index >= 4 else { throw WireFailure("value is cut off") }
    defer { index += 4 }
    return (0..<4).reduce(0) { $0 | UInt32(bytes[index + $1]) << UInt32(8 * $1) }
  }
}

/// Bytes that are not in the wire format.
public struct WireFailure: Error, Equatable, CustomStringConvertible {
  /// What is wrong.
  public let description: String

  init(_ description: String) { self.description = description }
}
