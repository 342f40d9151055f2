import Glibc

/// A value behind a mutex, with threads that wait for it to change. For the driver's own threads only: an event loop
/// takes the lock for moments but never waits for a change.
///
/// @unchecked Sendable is safe: `state` is touched only between lock and unlock of the mutex, and the two pthread
/// objects are allocated once, so that their addresses stay.
final class Monitor<State: Sendable>: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var state: State

  init(_ state: State) {
    self.state = state
    mutex.initialize(to: pthread_mutex_t())
    changed.initialize(to: pthread_cond_t())
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(changed, nil)
  }

  deinit {
    pthread_cond_destroy(changed)
    pthread_mutex_destroy(mutex)
    changed.deallocate()
    mutex.deallocate()
  }

  /// Reads or changes the value.
  func withLock<Result>(_ body: (inout State) throws -> Result) rethrows -> Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return try body(&state)
  }

  /// Wakes the threads that wait, to look again.
  func wakeAll() { pthread_cond_broadcast(changed) }

  /// Blocks until `body` finds what it looks for.
  func wait<Result>(for body: (inout State) -> Result?) -> Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while true {
      if let found = body(&state) { return found }
      pthread_cond_wait(changed, mutex)
    }
  }
}
