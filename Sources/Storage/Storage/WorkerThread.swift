import Glibc

/// A thread of a driver, which may block where no event loop may.
package final class WorkerThread: Sendable {
  private final class Body: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  private let thread: pthread_t

  /// Starts it, for the database at a path.
  package init(path: String, _ run: @escaping @Sendable () -> Void) throws {
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
  package func join() { pthread_join(thread, nil) }

  /// Lets it end by itself; in place of `join`.
  package func detach() { pthread_detach(thread) }
}
