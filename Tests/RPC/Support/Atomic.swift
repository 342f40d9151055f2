import Synchronization

/// A number that two tasks look at.
final class Atomic: Sendable {
  private let stored: Mutex<Int>

  init(_ value: Int) { stored = Mutex(value) }

  var value: Int { stored.withLock { $0 } }

  func add(_ number: Int) { stored.withLock { $0 += number } }
}

/// How often each thing happened.
final class Tally: Sendable {
  private let counts = Mutex<[String: Int]>([:])

  func add(_ name: String) { counts.withLock { $0[name, default: 0] += 1 } }

  var total: Int { counts.withLock { $0.values.reduce(0, +) } }
  var mostOfOne: Int { counts.withLock { $0.values.max() ?? 0 } }
}
