/// The header grpc-timeout: up to eight digits and a unit (PROTOCOL-HTTP2.md of gRPC).
public enum GRPCTimeout {
  private static let units: [(letter: UInt8, nanoseconds: UInt64)] = [
    (UInt8(ascii: "n"), 1), (UInt8(ascii: "u"), 1_000), (UInt8(ascii: "m"), 1_000_000),
    (UInt8(ascii: "S"), 1_000_000_000), (UInt8(ascii: "M"), 60_000_000_000), (UInt8(ascii: "H"), 3_600_000_000_000),
  ]

  /// Nanoseconds of a header's text; nil if it is no timeout.
  public static func nanoseconds(_ text: String) -> UInt64? {
    var text = text
    return text.withUTF8 { parse(UnsafeRawBufferPointer($0)) }
  }

  /// Nanoseconds; nil if it is no timeout.
  static func parse(_ bytes: UnsafeRawBufferPointer) -> UInt64? {
    guard (2...9).contains(bytes.count), let letter = bytes.last,
      let unit = units.first(where: { $0.letter == letter })
    else { return nil }
    var value: UInt64 = 0
    for byte in bytes.dropLast() {
      guard (48...57).contains(byte) else { return nil }
      value = value * 10 + UInt64(byte - 48)
    }
    let (nanoseconds, overflow) = value.multipliedReportingOverflow(by: unit.nanoseconds)
    return overflow ? .max : nanoseconds
  }

  /// The finest unit that eight digits can say it in, rounded up so that the server does not give up first.
  public static func format(nanoseconds: UInt64) -> String {
    for unit in units {
      let value = nanoseconds / unit.nanoseconds + (nanoseconds % unit.nanoseconds == 0 ? 0 : 1)
      if value <= 99_999_999 { return "\(value)\(Character(UnicodeScalar(unit.letter)))" }
    }
    return "99999999H"
  }
}
