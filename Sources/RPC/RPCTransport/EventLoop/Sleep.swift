import Core
import RPCCore

extension EventLoop {
  /// Waits so long; ends early with CancellationError when the task is cancelled. For tasks of this loop.
  public func sleep(for duration: Duration) async throws(CancellationError) {
    assertOnLoop()
    let deadline = Deadline(after: duration, clock: clock)
    let sleeper = LoopBound(Sleeper(), on: self)
    let nanoseconds = deadline.remainingNanoseconds(at: clock.monotonicNanoseconds())
    await withTaskCancellationHandler {
      if Task.isCancelled { return }
      await withUnsafeContinuation { continuation in
        sleeper.value.continuation = continuation
        sleeper.value.timer = schedule(afterNanoseconds: nanoseconds) { sleeper.value.wake() }
      }
    } onCancel: {
      execute {
        if let timer = sleeper.value.timer { self.cancel(timer) }
        sleeper.value.wake()
      }
    }
    if Task.isCancelled { throw CancellationError() }
  }
}

extension EventLoop {
  /// Lets connections, timers and other tasks have their turn before the task goes on. For tasks of this loop.
  func nextTurn() async {
    assertOnLoop()
    await withUnsafeContinuation { continuation in
      _ = schedule(afterNanoseconds: 0) { continuation.resume() }
    }
  }
}

private final class Sleeper {
  var continuation: UnsafeContinuation<Void, Never>?
  var timer: LoopTimer?

  func wake() {
    let waiting = continuation
    continuation = nil
    // The timer keeps its sleeper, and both the loop.
    timer = nil
    waiting?.resume()
  }
}

/// A value that only one event loop may touch, so that it can be named in closures which the loop runs.
///
/// Unchecked Sendable: `value` is reached on the loop's thread only, which debug builds check.
struct LoopBound<Value>: @unchecked Sendable {
  private let stored: Value
  private let loop: EventLoop

  init(_ value: Value, on loop: EventLoop) {
    stored = value
    self.loop = loop
  }

  var value: Value {
    loop.assertOnLoop()
    return stored
  }
}
