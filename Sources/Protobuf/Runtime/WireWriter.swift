/// Writes fields in the wire format, in the order of the calls.
public struct WireWriter {
  /// What was written.
  public private(set) var bytes: [UInt8] = []

  /// An empty message.
  public init() {}

  /// A field of wire type 0.
  public mutating func varint(_ number: Int, _ value: UInt64) {
    tag(number, 0)
    varint(value)
  }

  /// A field of wire type 1.
  public mutating func fixed64(_ number: Int, _ value: UInt64) {
    tag(number, 1)
    fixed64(value)
  }

  /// A field of wire type 5.
  public mutating func fixed32(_ number: Int, _ value: UInt32) {
    tag(number, 5)
    fixed32(value)
  }

  /// A field of wire type 2: bytes, a message or packed numbers.
  public mutating func bytes(_ number: Int, _ content: some Collection<UInt8>) {
    tag(number, 2)
    varint(UInt64(content.count))
    bytes.append(contentsOf: content)
  }

  /// A string field.
  public mutating func string(_ number: Int, _ text: String) {
    bytes(number, text.utf8)
  }

  /// A number without a tag, for packed fields.
  public mutating func varint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  /// A number without a tag, for packed fields.
  public mutating func fixed64(_ value: UInt64) {
    for shift in stride(from: 0, to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(shift))) }
  }

  /// A number without a tag, for packed fields.
  public mutating func fixed32(_ value: UInt32) {
    for shift in stride(from: 0, to: 32, by: 8) { bytes.append(UInt8(truncatingIfNeeded: value >> UInt32(shift))) }
  }

  private mutating func tag(_ number: Int, _ wireType: UInt64) {
    varint(UInt64(number) << 3 | wireType)
  }
}
