/// How long a connection may live, be silent, or keep us waiting; the names and defaults are gRPC's (gRFC A8 and A9) where it
/// has them. Nil means without end.
public struct ConnectionLimits: Sendable, Equatable {
  /// Silence of the peer after which it is asked for a sign of life.
  public var keepaliveTime: Duration?
  /// How long the sign of life may take before the connection is cut.
  public var keepaliveTimeout: Duration = .seconds(20)
  /// Whether we ask while no call runs.
  public var pingsWithoutCalls = false

  /// Least time between two pings of the peer, unless we have sent something in between.
  public var minimumPingInterval: Duration = .seconds(300)
  /// The same while no call runs.
  public var minimumPingIntervalWithoutCalls: Duration = .seconds(7_200)
  /// Pings too many that are forgiven; the next one ends the connection.
  public var pingStrikes = 2

  /// Time without a call after which the connection is ended.
  public var idleTime: Duration?
  /// Age at which the peer is asked to make another connection; a tenth more or less, so that not all come back at once.
  public var maximumAge: Duration?
  /// How long calls may still run after that.
  public var ageGrace: Duration?

  /// How long TCP, TLS and the first bytes of HTTP/2 may take together.
  public var handshakeTime: Duration = .seconds(10)
  /// How long one block of headers may take from its first byte to its last.
  public var headerTime: Duration = .seconds(10)
  /// How long the peer may take nothing of what we have for it, or send nothing of a message that it has begun.
  public var stallTime: Duration = .seconds(60)

  /// Beyond this the time between our own pings does not grow: what gRPC's servers grant even while no call runs.
  private static let mostKeepaliveTime: Duration = .seconds(7_200)

  private init() {}

  /// The peer finds that we ping too often (gRFC A8): half as often from now on.
  mutating func doubleKeepaliveTime() {
    keepaliveTime = keepaliveTime.map { max($0, min($0 * 2, ConnectionLimits.mostKeepaliveTime)) }
  }

  /// What servers grant: a peer that is silent for two hours must answer a ping.
  public static let server: ConnectionLimits = {
    var limits = ConnectionLimits()
    limits.keepaliveTime = .seconds(7_200)
    limits.pingsWithoutCalls = true
    return limits
  }()

  /// What clients do: no pings of their own accord, and an end of what has not been used for half an hour.
  public static let client: ConnectionLimits = {
    var limits = ConnectionLimits()
    limits.idleTime = .seconds(1_800)
    return limits
  }()
}
