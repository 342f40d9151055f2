/// How many calls may be with a service at once, found by looking at how long they take (decision 0026). A pure value: time comes in.
///
/// Each method has a *base*: the mean time of its calls while the service has little to do. A call may take `tolerance` × base plus
/// the tolerated delay. In windows of 100 ms or more
///
///     stretch = sum of the times that calls took / sum of the times that they may take
///     stretch > 1:  limit = max(least, min(limit, most at once in the window) × max(1 / stretch, 1/2))
///     otherwise:    √limit grows by 1/2, up to the most; by 1/2 for each 100 ms while much of the limit is not used
///
/// While the limit is felt, calls that began before its last change say nothing, so that it does not change again before it could
/// be seen what the change did.
///
/// Bases are not learnt from a service that has too much to do: that would raise the limit, which would fill it more. But a service may
/// have become slower for other reasons: so after ten seconds of refusals in a row comes a probe: the limit is a tenth of itself until
/// enough calls have come and gone, and what they take is their base. Probes last no more than a twentieth of the time.
struct AdaptiveLimit: Sendable {
  /// What the operator sets.
  struct Settings: Sendable, Equatable {
    /// Never less; below it long times are no reason to refuse calls.
    var least = 20
    /// Never more; 0 means that there is no limit.
    var most = 2_000
    /// How much longer than without load calls may take.
    var toleratedNanoseconds: UInt64 = 50_000_000
  }

  /// Who may have the last places.
  enum Priority: Sendable {
    /// Somebody waits for the answer.
    case interactive
    /// Programs, which can come again.
    case background
  }

  /// The limit at the begin, if it may be as much.
  static let initial = 1_000
  static let tolerance = 2.0
  static let windowNanoseconds: UInt64 = 100_000_000
  /// A window with few calls is closed after this.
  static let longestWindowNanoseconds: UInt64 = 1_000_000_000
  static let callsPerWindow = 16
  /// Of the limit: what interactive calls have in any case, and background calls cannot fill.
  static let reservedShare = 0.2
  /// What becomes of the limit in one window at worst.
  static let leastFactor = 0.5
  /// Of the calls of a window: if so many ran out of time, the limit falls whatever the others took.
  static let expiredShare = 0.1
  static let factorForExpired = 0.9
  /// Time with refusals after which a probe begins, or more if probes last long, and the part of the limit that holds in one.
  static let pressedNanoseconds: UInt64 = 10_000_000_000
  static let pauseForProbe: UInt64 = 20
  static let probeShare = 0.1
  /// How fast a base follows, down and up.
  private static let weightDown = 0.5
  private static let weightUp = 0.1
  /// Windows that a pause without calls counts as, at most.
  private static let mostWindowsOfPause = 100.0

  private enum Phase: Equatable {
    case normal
    /// A probe: what was begun before it comes to its end.
    case draining
    /// A probe: what calls take now is their base.
    case measuring
  }

  private struct Base {
    var nanoseconds = 0.0
    /// Of the calls in this window.
    var sum = 0.0
    var count = 0.0
  }

  private struct Window {
    var began: UInt64
    var calls = 0
    var expired = 0
    var refused = 0
    var took = 0.0
    var mayTake = 0.0
    var mostInFlight = 0
    /// Methods with calls in it.
    var methods: [Int] = []
  }

  private(set) var settings: Settings
  private(set) var inFlight = 0
  private var interactiveInFlight = 0
  private var limit: Double
  private var bases: [Base] = []
  private var window: Window
  private var phase = Phase.normal
  /// Calls that began before this say nothing.
  private var changedAt: UInt64 = 0
  /// Since when each window has had refusals.
  private var pressedSince: UInt64?
  private var probeBegan: UInt64 = 0
  private var pauseBetweenProbes = pressedNanoseconds

  init(_ settings: Settings, at now: UInt64) {
    self.settings = settings
    limit = Double(min(settings.most, max(settings.least, AdaptiveLimit.initial)))
    window = Window(began: now)
  }

  /// Calls that may be under way now; nil if there is no limit.
  var current: Int? {
    guard settings.most > 0 else { return nil }
    return max(1, Int(phase == .normal ? limit : limit * AdaptiveLimit.probeShare))
  }

  /// Whether a call of this priority would be refused now; if so that is remembered.
  mutating func refuses(_ priority: Priority, at now: UInt64) -> Bool {
    if now - min(now, window.began) >= AdaptiveLimit.longestWindowNanoseconds { closeIfDue(at: now) }
    guard let current else { return false }
    switch priority {
    case .interactive:
      // In a probe the whole limit may be theirs, but no more.
      let reserved = phase == .normal ? max(1, Int(Double(current) * AdaptiveLimit.reservedShare)) : current
      guard inFlight >= current, interactiveInFlight >= reserved else { return false }
    case .background:
      guard inFlight >= max(1, Int(Double(current) * (1 - AdaptiveLimit.reservedShare))) else { return false }
    }
    window.refused += 1
    return true
  }

  /// A call goes to the service.
  mutating func began(_ priority: Priority) {
    inFlight += 1
    if priority == .interactive { interactiveInFlight += 1 }
    window.mostInFlight = max(window.mostInFlight, inFlight)
  }

  /// A call that went to the service is over, and says nothing about it: cancelled, or never answered.
  mutating func ended(_ priority: Priority) {
    inFlight -= 1
    if priority == .interactive { interactiveInFlight -= 1 }
  }

  /// A call to a method, by its number, was answered, or its time ran out.
  mutating func ended(_ priority: Priority, method: Int, hasExpired: Bool, began: UInt64, at now: UInt64) {
    ended(priority)
    guard settings.most > 0 else { return }
    note(method: method, took: Double(now - min(now, began)), hasExpired, began: began)
    closeIfDue(at: now)
  }

  /// Other settings hold from now on.
  mutating func update(_ new: Settings) {
    // What was found goes on within the new bounds; a limit that was at its top stays there.
    let wasAtTop = limit >= Double(settings.most)
    settings = new
    limit = wasAtTop ? Double(new.most) : min(max(limit, Double(new.least)), Double(new.most))
    phase = .normal
  }

  private mutating func note(method: Int, took: Double, _ hasExpired: Bool, began: UInt64) {
    if method >= bases.count { bases += [Base](repeating: Base(), count: method + 1 - bases.count) }
    let base = bases[method].nanoseconds
    // Who gives a call less time than it needs learns nothing about the service.
    if began < changedAt || hasExpired && took < AdaptiveLimit.tolerance * base { return }
    window.calls += 1
    window.expired += hasExpired ? 1 : 0
    if base > 0 {
      window.took += took
      window.mayTake += AdaptiveLimit.tolerance * base + Double(settings.toleratedNanoseconds)
    }
    if bases[method].count == 0 { window.methods.append(method) }
    bases[method].sum += took
    bases[method].count += 1
  }

  // MARK: windows

  private mutating func closeIfDue(at now: UInt64) {
    let age = now - min(now, window.began)
    if phase == .draining {
      guard inFlight <= current ?? .max || age >= AdaptiveLimit.longestWindowNanoseconds else { return }
      phase = .measuring
      changedAt = now
      return clear(at: now)
    }
    let isFull = age >= AdaptiveLimit.windowNanoseconds && window.calls >= AdaptiveLimit.callsPerWindow
    // While calls are under way and none has come back, nothing is known.
    let isOld = age >= AdaptiveLimit.longestWindowNanoseconds && (window.calls > 0 || inFlight == 0)
    guard isFull || isOld else { return }
    if phase == .normal { adapt(age, at: now) } else { takeBases(at: now) }
    lookForPressure(at: now)
    clear(at: now)
  }

  private mutating func clear(at now: UInt64) {
    for method in window.methods {
      bases[method].sum = 0
      bases[method].count = 0
    }
    window = Window(began: now)
    window.mostInFlight = inFlight
  }

  private mutating func adapt(_ age: UInt64, at now: UInt64) {
    let isCrowded = window.mostInFlight > settings.least
    let factor = factor
    if factor == 1 {
      let hasRoom = window.refused == 0 && Double(window.mostInFlight) < limit / 2
      let windows = hasRoom ? Double(age) / Double(AdaptiveLimit.windowNanoseconds) : 1
      let root = limit.squareRoot() + min(windows, AdaptiveLimit.mostWindowsOfPause) / 2
      limit = min(Double(settings.most), root * root)
      if window.refused > 0 { changedAt = now }
    } else if isCrowded {
      limit = max(Double(settings.least), min(limit, Double(window.mostInFlight)) * factor)
      changedAt = now
    }
    learn(upwards: window.refused == 0 && (factor == 1 || !isCrowded))
  }

  /// What the times of this window make of the limit; 1 if they are short enough.
  private var factor: Double {
    let stretch = window.mayTake > 0 ? window.took / window.mayTake : 0
    let factor = stretch > 1 ? max(1 / stretch, AdaptiveLimit.leastFactor) : 1
    let hasExpired = window.expired > 0 && Double(window.expired) >= AdaptiveLimit.expiredShare * Double(window.calls)
    return hasExpired ? min(factor, AdaptiveLimit.factorForExpired) : factor
  }

  private mutating func learn(upwards: Bool) {
    for method in window.methods {
      let mean = bases[method].sum / bases[method].count
      let base = bases[method].nanoseconds
      if base == 0 {
        bases[method].nanoseconds = mean
      } else if mean < base {
        bases[method].nanoseconds += (mean - base) * AdaptiveLimit.weightDown
      } else if upwards {
        bases[method].nanoseconds += (mean - base) * AdaptiveLimit.weightUp
      }
    }
  }

  // MARK: probes

  private mutating func takeBases(at now: UInt64) {
    for method in window.methods { bases[method].nanoseconds = bases[method].sum / bases[method].count }
    phase = .normal
    pressedSince = nil
    let lasted = now - probeBegan
    pauseBetweenProbes = max(AdaptiveLimit.pressedNanoseconds, lasted * AdaptiveLimit.pauseForProbe)
  }

  private mutating func lookForPressure(at now: UInt64) {
    guard window.refused > 0, settings.least < settings.most else { return pressedSince = nil }
    let since = pressedSince ?? now
    pressedSince = since
    guard phase == .normal, now - since >= pauseBetweenProbes else { return }
    phase = .draining
    probeBegan = now
  }
}
