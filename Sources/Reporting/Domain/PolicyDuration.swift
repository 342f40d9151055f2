import Core

/// A length of time in millionths of a month: whole, so that comparing and sorting are exact.
public struct PolicyDuration: Hashable, Comparable, Sendable {
  /// Millionths of a month.
  public let micromonths: Int64

  /// A month in these units.
  public static let month: Int64 = 1_000_000

  /// A length of time.
  public init(micromonths: Int64) { self.micromonths = micromonths }

  /// So many whole months.
  public init(months: Int) { micromonths = Int64(months) * PolicyDuration.month }

  /// From one day to another that is not before it: the whole months, and the part of the next one that has passed, rounded
  /// down. So it reaches m months exactly when the day m months later has come (`CivilDate.addingMonths`).
  public init(from start: CivilDate, to end: CivilDate) {
    var months = (end.year - start.year) * 12 + end.month - start.month
    if start.addingMonths(months) > end { months -= 1 }
    let begun = start.addingMonths(months).daysSinceEpoch
    let length = start.addingMonths(months + 1).daysSinceEpoch - begun
    let part = length > 0 ? Int64(end.daysSinceEpoch - begun) * PolicyDuration.month / Int64(length) : 0
    micromonths = Int64(months) * PolicyDuration.month + part
  }

  /// Order by length.
  public static func < (left: PolicyDuration, right: PolicyDuration) -> Bool { left.micromonths < right.micromonths }
}
