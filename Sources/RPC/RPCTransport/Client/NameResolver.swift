import Glibc
import Synchronization

/// Finds the addresses of names. getaddrinfo blocks, so it is asked on threads that end when there is nothing left to ask.
final class NameResolver: Sendable {
  /// Threads at once.
  static let maximumThreads = 4
  /// Questions that wait for a thread; more fail.
  static let maximumWaiting = 1_000
  /// One for the process: the system's resolver is one too.
  static let shared = NameResolver()

  private struct Question: Sendable {
    let host: String
    let port: Int
    let reply: @Sendable ([SocketAddress]) -> Void
  }

  private struct State {
    var waiting: [Question] = []
    var threads = 0
  }

  private let state = Mutex(State())

  /// Calls `reply` with the addresses, on another thread or at once; none if there are none.
  func resolve(host: String, port: Int, reply: @escaping @Sendable ([SocketAddress]) -> Void) {
    let (isTaken, needsThread) = state.withLock { state in
      guard state.waiting.count < NameResolver.maximumWaiting else { return (false, false) }
      state.waiting.append(Question(host: host, port: port, reply: reply))
      guard state.threads < NameResolver.maximumThreads else { return (true, false) }
      state.threads += 1
      return (true, true)
    }
    guard isTaken else { return reply([]) }
    if needsThread { startThread() }
  }

  private func startThread() {
    let context = Unmanaged.passRetained(self).toOpaque()
    var thread = pthread_t()
    guard pthread_create(&thread, nil, answerQuestions, context) == 0 else {
      // Without a thread the caller has to wait for the answer itself, which is better than never.
      Unmanaged<NameResolver>.fromOpaque(context).release()
      return answer()
    }
    pthread_detach(thread)
  }

  /// Answers until no question is left.
  fileprivate func answer() {
    while true {
      let question: Question? = state.withLock { state in
        guard state.waiting.isEmpty else { return state.waiting.removeFirst() }
        state.threads -= 1
        return nil
      }
      guard let question else { return }
      question.reply(SocketAddress.resolve(host: question.host, port: question.port))
    }
  }
}

private func answerQuestions(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  if let context { Unmanaged<NameResolver>.fromOpaque(context).takeRetainedValue().answer() }
  return nil
}
