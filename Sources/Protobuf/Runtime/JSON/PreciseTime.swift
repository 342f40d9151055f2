import Core

/// Seconds and nanoseconds of google.protobuf.Timestamp or Duration, and their texts.
struct PreciseTime: Equatable {
  var seconds: Int64
  var nanos: Int32

  init(seconds: Int64, nanos: Int32) {
    (self.seconds, self.nanos) = (seconds, nanos)
  }

  /// From the fields seconds (1) and nanos (2).
  init(_ content: [Int: [WireReader.Value]]) {
    func number(_ field: Int) -> UInt64 {
      if case .varint(let value) = content[field]?.last { value } else { 0 }
    }
    self.init(seconds: Int64(bitPattern: number(1)), nanos: Int32(truncatingIfNeeded: number(2)))
  }

  // MARK: points in time

  /// From "2026-11-21T08:30:00.5+08:00"; nil if it is not RFC 3339 or not within the years 1 to 9999 in UTC.
  init?(rfc3339 text: String) {
    let bytes = Array(text.utf8)
    guard bytes.count >= 20, let date = CivilDate(text.prefix(10)), bytes[10] == UInt8(ascii: "T"),
      let hour = PreciseTime.digits(bytes[11..<13]), bytes[13] == UInt8(ascii: ":"), hour < 24,
      let minute = PreciseTime.digits(bytes[14..<16]), bytes[16] == UInt8(ascii: ":"), minute < 60,
      let second = PreciseTime.digits(bytes[17..<19]), second < 60
    else { return nil }
    var rest = bytes[19...]
    nanos = 0
    if rest.first == UInt8(ascii: ".") {
      let fraction = rest.dropFirst().prefix { (48...57).contains($0) }
      guard let value = PreciseTime.fraction(fraction) else { return nil }
      nanos = value
      rest = rest.dropFirst(1 + fraction.count)
    }
    guard let offset = PreciseTime.offset(rest) else { return nil }
    seconds = Int64(date.daysSinceEpoch * 86_400 + hour * 3_600 + minute * 60 + second - offset)
    guard PreciseTime.timestampSeconds.contains(seconds) else { return nil }
  }

  /// Years 1 to 9999.
  static let timestampSeconds: ClosedRange<Int64> = -62_135_596_800...253_402_300_799

  /// RFC 3339 in UTC with 0, 3, 6 or 9 digits of the fraction; nil outside of the years 1 to 9999.
  var rfc3339: String? {
    guard PreciseTime.timestampSeconds.contains(seconds), (0..<1_000_000_000).contains(nanos) else { return nil }
    let days = Int((seconds - (seconds < 0 ? 86_399 : 0)) / 86_400)
    let rest = Int(seconds) - days * 86_400
    let time = [rest / 3_600, rest / 60 % 60, rest % 60].map { decimal($0, digits: 2) }.joined(separator: ":")
    return "\(CivilDate(daysSinceEpoch: days))T\(time)\(PreciseTime.fractionText(nanos))Z"
  }

  // MARK: spans

  /// From "-1.5s"; nil if it is none or longer than 10,000 years.
  init?(duration text: String) {
    guard text.hasSuffix("s") else { return nil }
    let negative = text.hasPrefix("-")
    let parts = text.dropLast().dropFirst(negative ? 1 : 0).utf8.split(separator: 46, omittingEmptySubsequences: false)
    guard parts.count <= 2, let whole = PreciseTime.digits(Array(parts[0])[...]) else { return nil }
    seconds = Int64(whole)
    nanos = 0
    if parts.count == 2 {
      guard let fraction = PreciseTime.fraction(Array(parts[1])[...]) else { return nil }
      nanos = fraction
    }
    if negative { (seconds, nanos) = (-seconds, -nanos) }
    guard PreciseTime.durationSeconds.contains(seconds) else { return nil }
  }

  /// 10,000 years.
  static let durationSeconds: ClosedRange<Int64> = -315_576_000_000...315_576_000_000

  /// Seconds with 0, 3, 6 or 9 digits of the fraction; nil if too long or with parts of different signs.
  var duration: String? {
    guard PreciseTime.durationSeconds.contains(seconds), (-999_999_999...999_999_999).contains(nanos),
      seconds == 0 || nanos == 0 || (seconds < 0) == (nanos < 0)
    else { return nil }
    let sign = seconds < 0 || nanos < 0 ? "-" : ""
    return "\(sign)\(seconds.magnitude)\(PreciseTime.fractionText(abs(nanos)))s"
  }

  // MARK: parts

  private static func digits(_ bytes: ArraySlice<UInt8>) -> Int? {
    guard !bytes.isEmpty, bytes.count <= 12, bytes.allSatisfy({ (48...57).contains($0) }) else { return nil }
    return bytes.reduce(0) { $0 * 10 + Int($1) - 48 }
  }

  /// Nanoseconds from 1 to 9 digits behind the point.
  private static func fraction(_ bytes: ArraySlice<UInt8>) -> Int32? {
    guard bytes.count <= 9, let value = digits(bytes) else { return nil }
    return Int32((0..<(9 - bytes.count)).reduce(value) { result, _ in result * 10 })
  }

  private static func fractionText(_ nanos: Int32) -> String {
    let digits = decimal(Int(nanos), digits: 9)
    if nanos == 0 { return "" }
    if nanos % 1_000_000 == 0 { return "." + digits.prefix(3) }
    return "." + (nanos % 1_000 == 0 ? digits.prefix(6) : digits[...])
  }

  /// Seconds east of UTC from "Z" or "+08:00".
  private static func offset(_ bytes: ArraySlice<UInt8>) -> Int? {
    let bytes = Array(bytes)
    if bytes == [UInt8(ascii: "Z")] { return 0 }
    guard bytes.count == 6, bytes[3] == UInt8(ascii: ":"), let hours = digits(bytes[1..<3]), hours < 24,
      let minutes = digits(bytes[4..<6]), minutes < 60
    else { return nil }
    switch bytes[0] {
    case UInt8(ascii: "+"): return hours * 3_600 + minutes * 60
    case UInt8(ascii: "-"): return -(hours * 3_600 + minutes * 60)
    default: return nil
    }
  }
}
