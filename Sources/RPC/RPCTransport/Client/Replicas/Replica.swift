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
  private(set) var isEjected = false
  /// What it says of its health; one that is not asked serves.
  private(set) var health = Health.serving
  /// When it was last found that it should get no calls, on the loop's monotonic clock.
  private(set) var complaintNanoseconds: UInt64 = 0

  /// Why it gets no calls, or few, in words; nil if it gets its share.
  var complaint: String? {
    switch health {
    case .notServing: "it says that it does not serve"
    case .silent: "it does not answer whether it serves"
    case .serving: isEjected ? "it is left out for a while: too many calls to it failed" : nil
    }
  }

  /// Whether it gets calls only where no other one can.
  var isDoubtful: Bool { isEjected || health == .silent }

  /// It is left out, or is not any more.
  func setEjected(_ isEjected: Bool, at now: UInt64) {
    self.isEjected = isEjected
    if isEjected { complaintNanoseconds = now }
  }

  /// It has said how it is, or is not asked any more.
  func set(_ health: Health, at now: UInt64) {
    self.health = health
    if health != .serving { complaintNanoseconds = now }
  }

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
