/// A day of the proleptic Gregorian calendar, without a time zone; years 1 to 9999.
public struct CivilDate: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// 1 to 9999.
  public let year: Int
  /// 1 to 12.
  public let month: Int
  /// 1 to the month's length.
  public let day: Int

  /// A date, or nil if there is no such day.
  public init?(year: Int, month: Int, day: Int) {
    guard (1...9999).contains(year), (1...12).contains(month), day >= 1,
      day <= CivilDate.length(ofMonth: month, year: year)
    else { return nil }
    (self.year, self.month, self.day) = (year, month, day)
  }

  /// The day that lies so many days after 1970-01-01, held within years 1 to 9999.
  ///
  /// Counts in eras of 400 years that begin on 1 March, so that the leap day is the last of its year.
  public init(daysSinceEpoch: Int) {
    let shifted = min(max(daysSinceEpoch, -719_162), 2_932_896) + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
    month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  }

  /// Reads "2026-11-21" or "20261121"; nil for anything else.
  public init?(_ text: some StringProtocol) {
    let digits = Array(text.utf8)
    let compact: [UInt8]
    switch digits.count {
    case 10 where digits[4] == UInt8(ascii: "-") && digits[7] == UInt8(ascii: "-"):
      compact = Array(digits[0..<4] + digits[5..<7] + digits[8..<10])
    case 8: compact = digits
    default: return nil
    }
    guard compact.allSatisfy({ (48...57).contains($0) }) else { return nil }
    func number(_ range: Range<Int>) -> Int { compact[range].reduce(0) { $0 * 10 + Int($1) - 48 } }
    self.init(year: number(0..<4), month: number(4..<6), day: number(6..<8))
  }

  /// Days since 1970-01-01; negative before.
  public var daysSinceEpoch: Int {
    let shiftedYear = month <= 2 ? year - 1 : year
    let era = shiftedYear / 400
    let yearOfEra = shiftedYear - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }

  /// The same day so many months later, or that month's last day; held within years 1 to 9999.
  public func addingMonths(_ months: Int) -> CivilDate {
    let index = min(max(year * 12 + month - 1 + months, 12), 9_999 * 12 + 11)
    let (newYear, newMonth) = (index / 12, index % 12 + 1)
    let length = CivilDate.length(ofMonth: newMonth, year: newYear)
    return CivilDate(year: newYear, month: newMonth, day: min(day, length)) ?? self
  }

  /// The day at this point in time in Asia/Shanghai (UTC+8; the business's day since 1991).
  public static func inShanghai(at time: Timestamp) -> CivilDate {
    let seconds = time.seconds + 8 * 3_600
    return CivilDate(daysSinceEpoch: Int(seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400))
  }

  /// Days in a month.
  public static func length(ofMonth month: Int, year: Int) -> Int {
    switch month {
    case 4, 6, 9, 11: 30
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    default: 31
    }
  }

  /// Order in time.
  public static func < (left: CivilDate, right: CivilDate) -> Bool {
    (left.year, left.month, left.day) < (right.year, right.month, right.day)
  }

  /// ISO 8601, for example "2026-11-21".
  public var description: String {
    "\(decimal(year, digits: 4))-\(decimal(month, digits: 2))-\(decimal(day, digits: 2))"
  }
}
