import Synchronization

/// A number that two tasks look at.
final class Atomic: Sendable {
  private let stored: Mutex<Int>

  init(_ value: Int) { stored = Mutex(value) }

  var value: Int { stored.withLock { $0 } }

  func add(_ number: Int) { stored.withLock { $0 += number } }
}
