import Core

/// The demo's calendar: it ends on a fixed day, so that the data are the same whenever they are made.
public enum DemoTime {
  /// The last day that the sources tell of.
  public static let asOf = day(2025, 12, 31)
  /// The first day of sales.
  public static let begin = day(DemoPlan.firstMonth.year, DemoPlan.firstMonth.month, 1)

  /// A day that is known to exist.
  static func day(_ year: Int, _ month: Int, _ day: Int) -> CivilDate {
    CivilDate(year: year, month: month, day: day) ?? CivilDate(daysSinceEpoch: 0)
  }

  /// A day of issue by the seasons of a channel.
  static func issueDate(_ channel: DemoPlan.Channel, _ random: inout DemoRandom) -> CivilDate {
    let month = begin.addingMonths(random.index(weights: monthWeights[channel.channel.rawValue - 1]))
    return month.adding(days: random.below(CivilDate.length(ofMonth: month.month, year: month.year)))
  }

  private static let monthWeights = DemoPlan.channels.map { channel in
    (0..<DemoPlan.months).map { index in
      let month = begin.addingMonths(index)
      let swing = (DemoPlan.season[month.month - 1] - 87) * channel.season / 100
      return max(5, 87 + swing) * DemoPlan.growth[month.year - begin.year]
    }
  }
}

extension CivilDate {
  func adding(days: Int) -> CivilDate { CivilDate(daysSinceEpoch: daysSinceEpoch + days) }
}
