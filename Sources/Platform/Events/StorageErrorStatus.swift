import RPCCore
import Storage

// What the store's errors mean to a caller. The details (paths, SQL) stay in the process.

extension StorageError: RPCErrorConvertible {
  /// The status for the caller; the error itself is its cause, for the log.
  public var rpcError: RPCError {
    switch self {
    case .conflict(let conflict):
      RPCError(.aborted, "another caller was faster (\(conflict.subject)): read again, then try again", cause: self)
    case .uniqueViolation: RPCError(.aborted, "another caller was faster: try again", cause: self)
    case .overloaded: RPCError(.resourceExhausted, "too much at once; try again later", cause: self)
    case .queryTooExpensive, .tooManyRows, .timedOut:
      RPCError(.resourceExhausted, "the answer is too large: ask for less", cause: self)
    case .batchTooLarge, .valueTooLarge:
      RPCError(.invalidArgument, "the request is too large: send less at once", cause: self)
    case .invalidText: RPCError(.invalidArgument, "a text must not hold a NUL character", cause: self)
    case .unknownOutcome:
      RPCError(
        .unavailable,
        "the connection to the database was lost while committing, so it is not known whether this was done: repeat the call with the same request_id",
        cause: self)
    case .full, .readOnly, .inputOutput, .closed, .unreachable:
      RPCError(.unavailable, "the service cannot reach or write its data now; its log has the cause", cause: self)
    case .corrupt: RPCError(.dataLoss, "stored data are damaged; the service's log has the cause", cause: self)
    case .constraintViolation, .invalidStatement, .unexpectedValue, .cannotOpen, .inUse, .foreignFile:
      RPCError(.internal, "internal error; the service's log has the cause", cause: self)
    }
  }
}

extension IdempotencyConflict: RPCErrorConvertible {
  /// INVALID_ARGUMENT.
  public var rpcError: RPCError {
    .badRequest([FieldViolation("request_id", "was used for a request with other content; take a fresh one")])
  }
}

extension ResumePosition.Refused: RPCErrorConvertible {
  /// INVALID_ARGUMENT for garbage, OUT_OF_RANGE for a token of another epoch or from before what is kept.
  public var rpcError: RPCError {
    switch self {
    case .malformed: .badRequest([FieldViolation("resume_token", "is not one that this service gave out")])
    case .otherEpoch, .removed: RPCError(.outOfRange, description)
    }
  }
}
