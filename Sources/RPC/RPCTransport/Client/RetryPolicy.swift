import Core
import RPCCore

/// Which attempts at a call are made again, and how soon (gRFC A6). Only calls that may be sent twice are: those whose method says
/// that it is idempotent. What no server has begun is sent again in any case, without counting here (transparent retries).
public struct RetryPolicy: Sendable, Equatable {
  /// Attempts at one call, the first included.
  public var maximumAttempts = 4
  /// Most time before the second attempt. The time is drawn between nothing and this, which is longer before each further one.
  public var firstBackoff = Duration.milliseconds(25)
  /// Most time before any attempt.
  public var maximumBackoff = Duration.seconds(1)
  /// How much longer the time may be before each further attempt.
  public var factor = 2.0
  /// Codes for which a server may be asked again.
  public var codes: Set<StatusCode> = [.unavailable]
  /// Failures in a row, give or take, from which on nothing is made again: half of these tokens.
  public var tokens = 100.0
  /// Tokens that each call which succeeds gives back; each failure takes one.
  public var tokensPerSuccess = 0.1
  /// Attempts that may be made again because connections broke under them, until as many calls have succeeded. No less than a
  /// server has streams, so that none of its calls fails when it is killed.
  public var lostAttempts = 4_000
  /// When unary reads are sent to a further replica though the first may yet answer; nil means never. They are not made again
  /// otherwise then.
  public var hedging: HedgingPolicy?

  /// The defaults.
  public init() {}
}

/// When a read that takes its time is sent to a further replica as well (gRFC A6, hedging).
public struct HedgingPolicy: Sendable, Equatable {
  /// Most attempts that are saved up for a time when many calls are slow at once.
  static let maximumSaved = 10.0

  /// Attempts at one call, the first included.
  public var maximumAttempts = 2
  /// How long an answer may take before the next attempt.
  public var delay: Duration
  /// Codes after which another attempt's answer is waited for, or another attempt made.
  public var nonFatalCodes: Set<StatusCode> = [.unavailable]
  /// Further attempts for each call, on the average: a service that is slow for all is not called twice as much for it.
  public var share = 0.1

  /// The defaults, with this delay.
  public init(delay: Duration) { self.delay = delay }
}

/// How much may be made again towards one service, so that a service which fails is not called more for it. Confined to a loop.
public final class RetryBudget {
  /// How an attempt failed.
  public enum Failure: Sendable {
    /// With this status, and what "grpc-retry-pushback-ms" said.
    case status(StatusCode, pushback: String?)
    /// Its connection broke, or there was none.
    case lost
  }

  /// How it retries.
  public let policy: RetryPolicy
  private var tokens: Double
  private var lostLeft: Int
  private var savedHedges = HedgingPolicy.maximumSaved

  /// A full budget.
  public init(_ policy: RetryPolicy) {
    self.policy = policy
    tokens = policy.tokens
    lostLeft = policy.lostAttempts
  }

  /// A call has ended well.
  public func succeeded() {
    tokens = min(policy.tokens, tokens + policy.tokensPerSuccess)
    lostLeft = min(policy.lostAttempts, lostLeft + 1)
  }

  /// An attempt has failed, after so many with it: when the next one is due, in nanoseconds from now. Nil if none is.
  public func next(after failure: Failure, attempts: Int, _ random: some RandomSource) -> UInt64? {
    var asked: UInt64?
    var mayRetry: Bool
    switch failure {
    case .lost:
      mayRetry = lostLeft > 0
      if mayRetry, attempts < policy.maximumAttempts { lostLeft -= 1 }
    case .status(let code, let pushback):
      guard policy.codes.contains(code) || pushback != nil else { return nil }
      tokens = max(0, tokens - 1)
      mayRetry = tokens > policy.tokens / 2
      if let pushback {
        // Anything but a number of milliseconds means: not again.
        guard let milliseconds = UInt32(pushback) else { return nil }
        asked = UInt64(milliseconds) * 1_000_000
      }
      guard policy.codes.contains(code) else { return nil }
    }
    guard mayRetry, attempts < policy.maximumAttempts else { return nil }
    return asked ?? delay(attempts, random)
  }

  /// A call that may be hedged begins.
  public func beganHedged() {
    savedHedges = min(HedgingPolicy.maximumSaved, savedHedges + (policy.hedging?.share ?? 0))
  }

  /// Whether calls fail so little that further attempts may be made (A6's throttle).
  public var allowsHedge: Bool { tokens > policy.tokens / 2 }

  /// Takes the right to a further attempt; false if there is none.
  public func takeHedge() -> Bool {
    guard allowsHedge, savedHedges >= 1 else { return false }
    savedHedges -= 1
    return true
  }

  /// An attempt at a hedged call has failed, and another one may succeed.
  public func hedgeFailed() { tokens = max(0, tokens - 1) }

  private func delay(_ attempts: Int, _ random: some RandomSource) -> UInt64 {
    var most = policy.firstBackoff / .nanoseconds(1)
    for _ in 1..<max(1, attempts) { most *= policy.factor }
    let share = Double(random.next() >> 11) / Double(1 << 53)
    return UInt64(max(0, min(most, policy.maximumBackoff / .nanoseconds(1)) * share))
  }
}
