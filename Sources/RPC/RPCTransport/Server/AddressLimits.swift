import Core
import Synchronization

/// What one source address may ask of a server before it is known who is there: connections at once, and new ones a second. An IPv6 source is
/// its /64, since whoever has one address there has them all. Zero means no limit.
public struct AddressLimits: Sendable, Equatable {
  /// Connections that are open at once.
  public var openConnections = 0
  /// New connections a second, in the long run; `burstSeconds` as many after a pause.
  public var connectionsPerSecond = 0
  /// How many seconds' worth of new connections may come at once, so that many clients behind one address can all come back.
  public static let burstSeconds = 20

  /// No limits.
  public init() {}
}

/// Why a server closes a connection as soon as it comes.
public enum ConnectionRefusal: String, Sendable, CaseIterable {
  /// There are as many as there may be.
  case maximum
  /// Its address has as many as it may have.
  case addressConnections = "address_connections"
  /// Its address has begun too many lately.
  case addressRate = "address_rate"
  /// Too many handshakes went on at once, and this one for longest.
  case handshakes
}

/// Lets connections in, by their number and their source addresses, and counts those that it does not. Used by the loop that accepts and by
/// those on which connections end.
final class ConnectionGate: Sendable {
  /// Addresses whose latest connections are remembered; the one that was silent for longest is forgotten.
  static let maximumRemembered = 65_536

  private struct State {
    /// Addresses that have connections, so no more than there are connections.
    var open: [SourceAddress: Int] = [:]
    var new = RecentlyUsed<SourceAddress, TokenBucket>(capacity: maximumRemembered)
    var refused: [ConnectionRefusal: Int] = [:]
  }

  private let limits: AddressLimits
  private let rate: Rate?
  private let state = Mutex(State())

  init(_ limits: AddressLimits) {
    self.limits = limits
    let perSecond = limits.connectionsPerSecond
    rate = perSecond > 0 ? Rate(perSecond: perSecond, burst: perSecond * AddressLimits.burstSeconds) : nil
  }

  /// Whether a connection that has come may stay; if so it is to be given back. `isFull`: there are as many as there may be.
  func lets(_ source: SourceAddress?, isFull: Bool, at now: UInt64) -> Bool {
    state.withLock { state in
      let refusal = isFull ? .maximum : source.flatMap { reason(toRefuse: $0, &state, at: now) }
      if let refusal { state.refused[refusal, default: 0] += 1 }
      return refusal == nil
    }
  }

  /// A connection that was let in is gone.
  func giveBack(_ source: SourceAddress?) {
    guard limits.openConnections > 0, let source else { return }
    state.withLock { state in
      guard let open = state.open[source] else { return }
      state.open[source] = open > 1 ? open - 1 : nil
    }
  }

  /// A connection was let in and turned away after all.
  func count(_ refusal: ConnectionRefusal) { state.withLock { $0.refused[refusal, default: 0] += 1 } }

  /// How many were refused, and why.
  var refused: [ConnectionRefusal: Int] { state.withLock { $0.refused } }

  private func reason(toRefuse source: SourceAddress, _ state: inout State, at now: UInt64) -> ConnectionRefusal? {
    if let rate {
      let wait = state.new.with(source, make: { TokenBucket() }) { $0.take(rate, at: now) }
      if wait != nil { return .addressRate }
    }
    guard limits.openConnections > 0 else { return nil }
    let open = state.open[source, default: 0]
    guard open < limits.openConnections else { return .addressConnections }
    state.open[source] = open + 1
    return nil
  }
}
