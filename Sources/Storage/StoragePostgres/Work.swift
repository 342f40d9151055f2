import Storage

/// Something to do on a connection, with the caller who waits for it.
struct Work: Sendable {
  let number: UInt64
  let role: ConnectionRole
  /// When it was given to the driver.
  let sinceNanoseconds: UInt64
  var attempts = 0
  /// What the last attempt failed with.
  var lastError: StorageError?
  /// Begins an attempt.
  let begin: @Sendable () -> Attempt
  /// Tells the caller that it came to nothing.
  let fail: @Sendable (any Error) -> Void

  init<Conversation: Exchange>(
    number: UInt64, role: ConnectionRole, sinceNanoseconds: UInt64, _ exchange: Conversation,
    onSuccess: @escaping @Sendable () -> Void = {}, continuation: CheckedContinuation<Conversation.Success, any Error>
  ) {
    (self.number, self.role, self.sinceNanoseconds) = (number, role, sinceNanoseconds)
    begin = {
      var exchange = exchange
      return Attempt(first: exchange.first) { replies in
        switch exchange.next(after: replies) {
        case .round(let round): return .round(round)
        case .again(let error, let onAnotherConnection): return .again(error, onAnotherConnection: onAnotherConnection)
        case .end(let result):
          if case .success = result { onSuccess() }
          continuation.resume(with: result)
          return .end
        }
      }
    }
    fail = { continuation.resume(throwing: $0) }
  }
}

/// An exchange on its connection.
struct Attempt {
  enum Step {
    case round(Round)
    /// The caller has been told.
    case end
    case again(StorageError, onAnotherConnection: Bool)
  }

  let first: Round
  let advance: ([Reply]) -> Step
}
