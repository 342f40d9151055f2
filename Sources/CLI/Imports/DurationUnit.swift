import Core

/// In what a file gives lengths of time.
enum DurationUnit: String, Sendable {
  case quarters, months, days

  /// A length of time in millionths of a month; nil if the text is none, or is negative. Exact for quarters and months with up
  /// to six decimals; what is finer, and days (30.436875 to a month), is rounded half to even.
  func micromonths(_ text: String) -> Int64? {
    guard let number = ExactDecimal(text), let zero = ExactDecimal("0") else { return nil }
    let result: Int64? =
      switch self {
      case .quarters: ExactDecimal("3").flatMap { number.scaled(by: $0, plus: zero) }?.minorUnits(decimals: 6)
      case .months: number.minorUnits(decimals: 6)
      case .days: number.minorUnits(decimals: 6).flatMap(Self.micromonths(microdays:))
      }
    return result.flatMap { $0 < 0 ? nil : $0 }
  }

  /// The day that lies so long after another: whole months, then the part of the next month, rounded half up to days.
  static func day(_ micromonths: Int64, after start: CivilDate) -> CivilDate {
    let (months, part) = micromonths.quotientAndRemainder(dividingBy: 1_000_000)
    let begun = start.addingMonths(Int(months)).daysSinceEpoch
    let length = start.addingMonths(Int(months) + 1).daysSinceEpoch - begun
    return CivilDate(daysSinceEpoch: begun + Int((part * Int64(length) + 500_000) / 1_000_000))
  }

  /// A month of the Gregorian calendar has 30.436875 days on average.
  private static func micromonths(microdays: Int64) -> Int64? {
    let divisor: Int128 = 30_436_875
    let (quotient, remainder) = (Int128(microdays) * 1_000_000).quotientAndRemainder(dividingBy: divisor)
    let isUp = remainder * 2 > divisor || (remainder * 2 == divisor && quotient % 2 != 0)
    return Int64(exactly: isUp ? quotient + 1 : quotient)
  }
}
