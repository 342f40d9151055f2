import Glibc
import RPCTransport
import Synchronization

/// Bridges the command, which runs on the main thread, and the event loop, on which calls are made.
enum MainLoop {
  /// Runs this on an event loop of its own and waits for it.
  static func run<Value: Sendable>(_ body: @escaping @Sendable (EventLoop) async throws -> Value) throws -> Value {
    let loop = try EventLoop()
    defer { loop.stop() }
    let outcome = Outcome<Value>()
    loop.spawn {
      do { outcome.set(.success(try await body(loop))) } catch { outcome.set(.failure(error)) }
    }
    return try outcome.wait()
  }
}

/// A result that one thread waits for.
///
/// Unchecked Sendable: the result is behind a mutex, and a semaphore may be used from any thread.
private final class Outcome<Value: Sendable>: @unchecked Sendable {
  private let result = Mutex<Result<Value, any Error>?>(nil)
  private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

  init() { sem_init(semaphore, 0, 0) }

  deinit {
    sem_destroy(semaphore)
    semaphore.deallocate()
  }

  func set(_ value: Result<Value, any Error>) {
    result.withLock { $0 = value }
    sem_post(semaphore)
  }

  func wait() throws -> Value {
    while true {
      sem_wait(semaphore)
      if let result = result.withLock({ $0 }) { return try result.get() }
    }
  }
}
