import Core
import Synchronization

/// A clock that stands still until the simulation moves it.
final class VirtualClock: Clock {
  private let nanoseconds = Atomic<UInt64>(1_000_000_000)

  func now() -> Timestamp {
    Timestamp(microsecondsSinceEpoch: Int64(clamping: monotonicNanoseconds() / 1_000))
  }

  func monotonicNanoseconds() -> UInt64 { nanoseconds.load(ordering: .relaxed) }

  /// Moves on to this time, and in any case by a nanosecond.
  func advance(to time: UInt64) { nanoseconds.store(max(time, monotonicNanoseconds() + 1), ordering: .relaxed) }
}

/// Random numbers that are the same for the same seed (SplitMix64).
final class SeededRandom: RandomSource, Sendable {
  private let state: Atomic<UInt64>

  init(_ seed: UInt64) { state = Atomic(seed) }

  func next() -> UInt64 {
    var mixed = state.wrappingAdd(0x9E37_79B9_7F4A_7C15, ordering: .relaxed).newValue
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  func below(_ limit: Int) -> Int { limit <= 1 ? 0 : Int(next() % UInt64(limit)) }

  func within(_ range: ClosedRange<UInt64>) -> UInt64 {
    range.lowerBound + next() % (range.upperBound - range.lowerBound + 1)
  }

  /// True in so many of a hundred cases.
  func chance(_ percent: Int) -> Bool { below(100) < percent }

  func pick<Value>(_ values: [Value]) -> Value { values[below(values.count)] }
}

let microsecond: UInt64 = 1_000
let millisecond: UInt64 = 1_000_000
let second: UInt64 = 1_000_000_000
