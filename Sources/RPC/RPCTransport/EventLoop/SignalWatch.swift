import COpenSSL
import Glibc
import Synchronization

/// Waits for signals such as SIGTERM. The handler only writes the signal's number to a pipe, which an event loop reads: nothing
/// else may run in a signal's context. (A signalfd would need the signals blocked in every thread, and the main thread of a
/// Swift program unblocks all while it waits.)
///
/// Unchecked Sendable: its state is behind a mutex.
public final class SignalWatch: @unchecked Sendable {
  private struct State {
    var pending: [Int32] = []
    var waiter: UnsafeContinuation<Int32, Never>?
  }

  private let state = Mutex(State())
  private let descriptor: Int32

  /// Catches these signals from now on, and ignores SIGPIPE: a cut connection is an error of a write, not of the process.
  public init(_ signals: [Int32]) throws(TransportError) {
    signal(SIGPIPE, SIG_IGN)
    descriptor = try installHandlers(signals)
  }

  /// Reads them on this loop.
  public func start(on loop: EventLoop) {
    loop.execute { [self] in
      let reader = SignalReader(descriptor: descriptor, watch: self)
      loop.watch(reader, EPOLLIN.rawValue)
    }
  }

  /// The next signal. One caller at a time.
  @discardableResult
  public func next() async -> Int32 {
    await withUnsafeContinuation { continuation in
      let ready: Int32? = state.withLock { state in
        guard state.pending.isEmpty else { return state.pending.removeFirst() }
        state.waiter = continuation
        return nil
      }
      if let ready { continuation.resume(returning: ready) }
    }
  }

  fileprivate func received(_ signal: Int32) {
    let waiter = state.withLock { state in
      defer { state.waiter = nil }
      if state.waiter == nil, state.pending.count < 16 { state.pending.append(signal) }
      return state.waiter
    }
    waiter?.resume(returning: signal)
  }
}

/// Write end of the pipe; set before the first handler is installed.
private nonisolated(unsafe) var signalPipe: Int32 = -1

/// Installs the handlers, and gives the end of the pipe to read from.
private func installHandlers(_ signals: [Int32]) throws(TransportError) -> Int32 {
  var ends: [Int32] = [-1, -1]
  guard pipe(&ends) == 0 else { throw .system("cannot watch signals", errno) }
  for end in ends {
    _ = fcntl(end, F_SETFL, O_NONBLOCK)
    _ = fcntl(end, F_SETFD, FD_CLOEXEC)
  }
  signalPipe = ends[1]
  var action = sigaction()
  action.__sigaction_handler.sa_handler = { number in
    let saved = errno
    var byte = UInt8(truncatingIfNeeded: number)
    _ = write(signalPipe, &byte, 1)
    errno = saved
  }
  action.sa_flags = SA_RESTART
  for number in signals { sigaction(number, &action, nil) }
  // Whoever started this process may have blocked them: a worker thread of Swift or Dispatch does.
  var set = sigset_t()
  sigemptyset(&set)
  for number in signals { sigaddset(&set, number) }
  pthread_sigmask(SIG_UNBLOCK, &set, nil)
  return ends[0]
}

private final class SignalReader: PollHandler {
  private let watch: SignalWatch

  init(descriptor: Int32, watch: SignalWatch) {
    self.watch = watch
    super.init(descriptor: descriptor)
  }

  override func ready(_ events: UInt32) {
    var byte: UInt8 = 0
    while read(descriptor, &byte, 1) == 1 { watch.received(Int32(byte)) }
  }
}
