import Core
import Foundation

/// What the rounds of kill -9 are drawn from.
enum CrashDraw {
  private static let environment = ProcessInfo.processInfo.environment

  /// How many rounds each test does.
  static let rounds = environment["MAINSTAY_CRASH_ROUNDS"].flatMap { Int($0) } ?? 20
  /// Drawn unless MAINSTAY_CRASH_SEED gives it; each failure names it.
  static let seed = environment["MAINSTAY_CRASH_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 0...UInt64.max)

  /// The draws of a round: the same whatever the others drew.
  static func generator(round: Int) -> SeededGenerator { SeededGenerator(seed: seed &+ UInt64(round) &* 0x9E37_79B9) }
}
