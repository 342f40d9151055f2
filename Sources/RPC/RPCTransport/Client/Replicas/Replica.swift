import RPCCore

/// What a pool knows of one replica, from whichever of its connections. Confined to the pool's loop.
public final class Replica {
  /// Calls since somebody last asked: the bucket of gRFC A50.
  struct Outcomes: Equatable {
    var succeeded = 0
    var failed = 0

    var total: Int { succeeded + failed }
  }

  private(set) var outcomes = Outcomes()
  /// Whether it is left out because calls to it fail.
  var isEjected = false
  /// Whether it says that it serves; true of one that is not asked.
  var isServing = true

  /// An attempt at a call to it has ended. Failures are those that are the replica's own: UNAVAILABLE, which a connection that broke
  /// is too, INTERNAL, UNKNOWN and DATA_LOSS. Time that the caller set and a caller who gave up say nothing of it; any other answer is one.
  public func ended(_ code: StatusCode) {
    switch code {
    case .unavailable, .internal, .unknown, .dataLoss: outcomes.failed += 1
    case .deadlineExceeded, .cancelled: break
    default: outcomes.succeeded += 1
    }
  }

  /// The outcomes since this was called last.
  func takeOutcomes() -> Outcomes {
    defer { outcomes = Outcomes() }
    return outcomes
  }
}
