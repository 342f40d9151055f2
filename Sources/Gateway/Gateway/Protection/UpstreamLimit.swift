import RPCCore
import Synchronization

/// The calls to one service, of all event loops together, and how many there may be at once.
final class UpstreamLimit: Sendable {
  /// How it is now.
  struct Facts: Sendable {
    /// Nil if there is no limit.
    var limit: Int?
    var inFlight = 0
    var refused = PerClass { 0 }
  }

  private struct State {
    var limit: AdaptiveLimit
    var refused = PerClass { 0 }
  }

  private let state: Mutex<State>

  init(_ settings: AdaptiveLimit.Settings, at now: UInt64) {
    state = Mutex(State(limit: AdaptiveLimit(settings, at: now)))
  }

  /// A place for a call, to be given back; false if there is none.
  func takePlace(_ priority: AdaptiveLimit.Priority, _ work: MethodClass, at now: UInt64) -> Bool {
    state.withLock { state in
      guard !state.limit.refuses(priority, at: now) else {
        state.refused[work] += 1
        return false
      }
      state.limit.began(priority)
      return true
    }
  }

  /// Whether a call that takes no place may begin: not while the service has much to do.
  func mayBegin(_ work: MethodClass, at now: UInt64) -> Bool {
    state.withLock { state in
      guard state.limit.refuses(.background, at: now) else { return true }
      state.refused[work] += 1
      return false
    }
  }

  /// The place of a call whose time says nothing.
  func giveBack(_ priority: AdaptiveLimit.Priority) { state.withLock { $0.limit.ended(priority) } }

  /// The place of a call with what it tells of the service.
  func giveBack(_ priority: AdaptiveLimit.Priority, method: Int, hasExpired: Bool, began: UInt64, at now: UInt64) {
    state.withLock { $0.limit.ended(priority, method: method, hasExpired: hasExpired, began: began, at: now) }
  }

  func update(_ settings: AdaptiveLimit.Settings) { state.withLock { $0.limit.update(settings) } }

  var facts: Facts {
    state.withLock { Facts(limit: $0.limit.current, inFlight: $0.limit.inFlight, refused: $0.refused) }
  }
}

/// The place of one call at a service: given back once, by `over`. Notes how long the service took, from the last byte of the request to
/// the first of the answer, so that slow clients do not look like a slow service.
struct Admission {
  /// Turns of the gateway's own loop that last longer hide what the service does.
  private static let mostTurnNanoseconds: UInt64 = 10_000_000

  private let place: UpstreamLimit
  private let priority: AdaptiveLimit.Priority
  private let method: Int
  private var requestEnded: UInt64 = 0
  private var attempted: UInt64 = 0
  private var answered: UInt64 = 0
  private var isHidden = false

  init(_ place: UpstreamLimit, _ priority: AdaptiveLimit.Priority, _ method: MethodDescriptor) {
    self.place = place
    self.priority = priority
    // The first place is for methods that have none of their own.
    self.method = method.number.map { $0 + 1 } ?? 0
  }

  /// The client has sent all.
  mutating func requestHasEnded(at now: UInt64) { requestEnded = now }

  /// An attempt begins.
  mutating func attempts(at now: UInt64) { attempted = now }

  /// The service has begun its answer. `turn`: how long the loop's turn before took.
  mutating func isAnswered(at now: UInt64, turn: UInt64) {
    answered = now
    isHidden = turn > Admission.mostTurnNanoseconds
  }

  /// The call is over.
  func over(_ code: StatusCode, at now: UInt64, turn: UInt64) {
    let hasExpired = answered == 0 && code == .deadlineExceeded
    // Where the gateway itself has too much to do, times are its own, and no reason to give the service less.
    guard !isHidden, !hasExpired || turn <= Admission.mostTurnNanoseconds, requestEnded > 0, attempted > 0,
      answered > 0 || hasExpired
    else { return place.giveBack(priority) }
    place.giveBack(
      priority, method: method, hasExpired: hasExpired, began: max(requestEnded, attempted),
      at: hasExpired ? now : answered)
  }
}
