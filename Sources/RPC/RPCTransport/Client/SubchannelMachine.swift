import Core

/// What becomes of a connection, in gRPC's words (connectivity-semantics-and-api.md).
public enum ConnectivityState: String, Sendable, CaseIterable {
  /// Nobody needs it now.
  case idle = "IDLE"
  /// An attempt runs.
  case connecting = "CONNECTING"
  /// Calls may be made.
  case ready = "READY"
  /// The last attempt failed; the next one waits for the end of the back-off.
  case transientFailure = "TRANSIENT_FAILURE"
  /// Never again.
  case shutdown = "SHUTDOWN"
}

/// The rules by which a connection to one address is made, lost and made again. A pure value: what happens, the time and the
/// jitter come in; what is to be done is read from it. It cannot be stuck, because no state waits for a wake-up alone:
/// CONNECTING ends by the attempt's own limit of time, and TRANSIENT_FAILURE by a look at the clock.
struct SubchannelMachine {
  /// A connection that was lost sooner than this counts as a failed attempt when the one before was lost as soon.
  static let briefLifeNanoseconds: UInt64 = 1_000_000_000

  private(set) var state = ConnectivityState.idle
  /// Why there is no connection, in words; nil until one has failed.
  private(set) var lastError: String?
  /// When that was.
  private(set) var errorNanoseconds: UInt64 = 0
  /// When an attempt may begin again after a failure.
  private(set) var retryNanoseconds: UInt64 = 0
  private var began: UInt64 = 0
  private var failures: Backoff
  /// For a peer that takes connections and drops them at once.
  private var losses: Backoff
  private var wasBrief = false

  init(maximumBackoff: Duration = Backoff.standardMaximum) {
    failures = Backoff(maximum: maximumBackoff)
    losses = Backoff(maximum: maximumBackoff)
  }

  /// Whether an attempt may begin now.
  func mayConnect(at now: UInt64) -> Bool {
    switch state {
    case .idle: true
    case .transientFailure: now >= retryNanoseconds
    case .connecting, .ready, .shutdown: false
    }
  }

  /// An attempt begins, if it may.
  mutating func connect(at now: UInt64) -> Bool {
    guard mayConnect(at: now) else { return false }
    state = .connecting
    began = now
    return true
  }

  /// The attempt came to a connection.
  mutating func connected(at now: UInt64) {
    guard state == .connecting else { return }
    state = .ready
    began = now
    failures.reset()
  }

  /// The attempt failed. The back-off counts from the attempt's begin, as gRPC's does.
  mutating func failed(_ reason: String, at now: UInt64, _ random: some RandomSource) {
    guard state == .connecting else { return }
    errorNanoseconds = now
    backOff(reason, until: began &+ failures.next(random))
  }

  /// The connection broke, or the peer takes no new calls on it. The first time it may be made again at once.
  mutating func lost(_ reason: String, at now: UInt64, _ random: some RandomSource) {
    guard state == .ready else { return }
    errorNanoseconds = now
    let isBrief = now < began + SubchannelMachine.briefLifeNanoseconds
    if isBrief, wasBrief {
      backOff(reason, until: now &+ losses.next(random))
    } else {
      lastError = reason
      state = .idle
      if !isBrief { losses.reset() }
    }
    wasBrief = isBrief
  }

  /// It was closed because nobody needs it.
  mutating func closed() {
    if state != .shutdown { state = .idle }
  }

  mutating func shutDown() { state = .shutdown }

  private mutating func backOff(_ reason: String, until retry: UInt64) {
    lastError = reason
    state = .transientFailure
    retryNanoseconds = retry
  }
}
