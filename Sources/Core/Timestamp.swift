/// A point in time, in microseconds since 1970-01-01T00:00:00Z: the resolution that the databases keep.
public struct Timestamp: Hashable, Comparable, Sendable {
  /// Microseconds since the epoch; negative before 1970.
  public let microsecondsSinceEpoch: Int64

  /// A point in time from microseconds since the epoch.
  public init(microsecondsSinceEpoch: Int64) {
    self.microsecondsSinceEpoch = microsecondsSinceEpoch
  }

  /// Microseconds of the years 1 to 9999: what `iso8601` can write.
  public static let writable: ClosedRange<Int64> = -62_135_596_800_000_000...253_402_300_799_999_999

  /// Order in time.
  public static func < (left: Timestamp, right: Timestamp) -> Bool {
    left.microsecondsSinceEpoch < right.microsecondsSinceEpoch
  }

  /// Whole seconds since the epoch, rounded down.
  public var seconds: Int64 {
    let (quotient, remainder) = microsecondsSinceEpoch.quotientAndRemainder(dividingBy: 1_000_000)
    return remainder < 0 ? quotient - 1 : quotient
  }

  /// The rest in nanoseconds, 0 to 999,999,000.
  public var nanoseconds: Int32 {
    Int32(truncatingIfNeeded: (microsecondsSinceEpoch - seconds &* 1_000_000) * 1_000)
  }

  /// RFC 3339 in UTC with six digits, for example "2026-11-21T08:30:00.000000Z".
  public var iso8601: String {
    let days = Int(seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400)
    let rest = Int(seconds) - days * 86_400
    let date = CivilDate(daysSinceEpoch: days)
    let time = [rest / 3_600, rest / 60 % 60, rest % 60].map { decimal($0, digits: 2) }.joined(separator: ":")
    return "\(date)T\(time).\(decimal(Int(nanoseconds) / 1_000, digits: 6))Z"
  }
}

/// A number with leading zeros; digits beyond the width are kept.
public func decimal(_ number: Int, digits: Int) -> String {
  let text = String(number)
  return text.count >= digits ? text : String(repeating: "0", count: digits - text.count) + text
}
