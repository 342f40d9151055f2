import Glibc
import Storage

/// A thread of the driver: SQLite's calls block on the disk, which no event loop may.
final class WorkerThread: Sendable {
  private final class Body: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  private let thread: pthread_t

  /// Starts it, for the database at a path.
  init(path: String, _ run: @escaping @Sendable () -> Void) throws {
    var started = pthread_t()
    let body = Unmanaged.passRetained(Body(run))
    let code = pthread_create(
      &started, nil,
      { context in
        if let context { Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run() }
        return nil
      }, body.toOpaque())
    guard code == 0 else {
      body.release()
      throw StorageError.cannotOpen(path: path, reason: "no more threads (system error \(code))")
    }
    thread = started
  }

  /// Waits for its end. Once.
  func join() { pthread_join(thread, nil) }
}
