import API
import ArgumentParser
import Core

/// A day as people write it: 2026-03-01.
struct Day: ExpressibleByArgument, Sendable {
  /// As the API has it.
  let message: CalendarDate

  init?(argument: String) {
    guard let day = CivilDate(argument) else { return nil }
    self.init(day)
  }

  private init(_ day: CivilDate) {
    message = CalendarDate(year: Int32(day.year), month: Int32(day.month), day: Int32(day.day))
  }

  /// The business's day now.
  static var today: Day { Day(CivilDate.inShanghai(at: SystemClock().now())) }
}
