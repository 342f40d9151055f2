/// How long a loop that has nothing to do looks for work before it sleeps. A sleeping core is woken within tens of microseconds
/// where it is a virtual one, which is longer than most calls take. So the loop stays awake while its pauses are short, and
/// sleeps at once when they are not: a pure value that is told of each pause. All times in nanoseconds.
struct IdlePolling {
  /// Pauses that are too short to sleep double the time of looking, from this part of the limit on.
  private static let firstPart: UInt64 = 8
  /// Between two looks less than this goes by, unless the core was given to somebody else.
  private static let interruption: UInt64 = 50_000
  /// How long a loop does not look after somebody else wanted its core.
  private static let retreat: UInt64 = 100_000_000

  /// The longest time of looking, and the longest pause that counts as short. 0: never look.
  let limit: UInt64
  /// How long to look in the next pause.
  private(set) var window: UInt64 = 0
  private var retreatsUntil: UInt64 = 0

  init(limit: UInt64) { self.limit = limit }

  /// Sleep ended a pause that took so long in all.
  mutating func slept(_ pause: UInt64, until now: UInt64) {
    guard pause <= limit, now >= retreatsUntil else {
      window = 0
      return
    }
    window = min(limit, max(limit / IdlePolling.firstPart, 2 * window))
  }

  /// Whether to look once more in a pause that has begun at `start`, when the last look was at `last`.
  mutating func goesOn(since start: UInt64, lastLook last: UInt64, at now: UInt64) -> Bool {
    if now - last >= IdlePolling.interruption {
      window = 0
      retreatsUntil = now + IdlePolling.retreat
    }
    return now - start < window
  }
}
