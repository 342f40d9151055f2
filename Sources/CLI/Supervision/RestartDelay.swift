/// How long to wait before an ended process is started again: longer each time, from anew once it has run for a while.
struct RestartDelay: Equatable, Sendable {
  static let first = Duration.milliseconds(200)
  static let longest = Duration.seconds(10)
  /// A process that ran this long was well.
  static let wellAfter = Duration.seconds(30)

  private var upcoming = RestartDelay.first

  /// The time to wait for a process that has ended after running so long.
  mutating func next(afterRunning ran: Duration) -> Duration {
    if ran >= RestartDelay.wellAfter { upcoming = RestartDelay.first }
    defer { upcoming = min(upcoming * 2, RestartDelay.longest) }
    return upcoming
  }
}
