import Core

/// Work for nothing that takes a given time of an idle core: a number of steps, so that a server that must share its core is as much slower.
struct Burden: Sendable {
  static let none = Burden(steps: 0)

  /// How often the pace is measured, and with how many steps: the fastest time is that of an undisturbed core.
  private static let trials = 50
  private static let trialSteps = 20_000

  private let steps: Int

  private init(steps: Int) { self.steps = steps }

  /// As many steps as take so long here.
  init(microseconds: Int, _ clock: some Clock) {
    guard microseconds > 0 else {
      self = .none
      return
    }
    var fastest = UInt64.max
    for _ in 0..<Burden.trials {
      let began = clock.monotonicNanoseconds()
      Burden(steps: Burden.trialSteps).bear()
      fastest = min(fastest, clock.monotonicNanoseconds() - began)
    }
    steps = microseconds * 1_000 * Burden.trialSteps / Int(max(1, fastest))
  }

  /// Does the work.
  @inline(never)
  func bear() {
    var value: UInt64 = 88_172_645_463_325_252
    for _ in 0..<steps {
      value ^= value << 13
      value ^= value >> 7
      value ^= value << 17
    }
    // Never so: but the compiler does not know, and must do the steps.
    if value == 0 { print(value) }
  }
}
