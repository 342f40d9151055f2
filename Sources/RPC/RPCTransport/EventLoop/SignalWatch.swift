import COpenSSL
import Glibc
import Synchronization

/// Waits for signals such as SIGTERM. They are blocked in the whole process and read from a descriptor, so that no code runs
/// in a signal's context. Make it before other threads are started.
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
    descriptor = try blockedSignals(signals)
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

/// Blocks signals in this thread and those it starts, and gives a descriptor to read them from.
private func blockedSignals(_ signals: [Int32]) throws(TransportError) -> Int32 {
  var set = sigset_t()
  sigemptyset(&set)
  for signal in signals { sigaddset(&set, signal) }
  pthread_sigmask(SIG_BLOCK, &set, nil)
  let descriptor = signalfd(-1, &set, Int32(SFD_NONBLOCK | SFD_CLOEXEC))
  guard descriptor >= 0 else { throw .system("cannot watch signals", errno) }
  return descriptor
}

private final class SignalReader: PollHandler {
  private let watch: SignalWatch

  init(descriptor: Int32, watch: SignalWatch) {
    self.watch = watch
    super.init(descriptor: descriptor)
  }

  override func ready(_ events: UInt32) {
    var information = signalfd_siginfo()
    while read(descriptor, &information, MemoryLayout<signalfd_siginfo>.size) == MemoryLayout<signalfd_siginfo>.size {
      watch.received(Int32(bitPattern: information.ssi_signo))
    }
  }
}
