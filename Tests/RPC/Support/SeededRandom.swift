import Core
import Synchronization

/// Random numbers that are the same for the same seed, for whatever draws from a source.
final class SeededRandom: RandomSource {
  private let numbers: Mutex<SeededGenerator>

  init(_ seed: UInt64) { numbers = Mutex(SeededGenerator(seed: seed)) }

  func next() -> UInt64 { numbers.withLock { $0.next() } }

  func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }

  func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) } }
}
