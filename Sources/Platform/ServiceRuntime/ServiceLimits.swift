import RPCTransport

/// What a process grants those who call it, and those whom it calls: connections, bytes, times. Settings of every process; what
/// holds when nobody says anything are the defaults of the RPC stack.
public struct ServiceLimits: Sendable {
  /// Connections of callers at once.
  public private(set) var maximumConnections = Server.Configuration.standardMaximumConnections
  /// What one source address may ask: of connections that it opens, most of those that there may be.
  public private(set) var addresses: AddressLimits = {
    var limits = AddressLimits()
    limits.openConnections = 15_000
    limits.connectionsPerSecond = 1_000
    return limits
  }()
  /// Calls that one connection may begin in a second; 0 means any number.
  public private(set) var callsPerSecond = 0
  /// Bytes of one connection.
  public private(set) var http2 = HTTP2Limits()
  /// Times of connections of callers.
  public private(set) var server = ConnectionLimits.server
  /// Bytes of calls.
  public private(set) var calls = CallLimits()
  /// Times of connections to other services.
  public private(set) var upstream = ConnectionLimits.client
  /// Bytes that all connections together may hold.
  public private(set) var budget = ByteBudget.process
  private var heldBytes = ByteBudget.process.limitBytes

  /// The defaults.
  public init() {}

  /// As the settings say. Throws with the setting and what it may be.
  init(_ configuration: Configuration) throws(ConfigurationError) {
    for setting in LimitSetting.all {
      setting.take(&self, try configuration.integer(setting.key.name, in: setting.range))
    }
    budget = ByteBudget(limitBytes: heldBytes)
    let ascending = [
      ("connections.held_bytes", http2.heldBytes), ("connections.most_held_bytes", http2.mostHeldBytes),
      ("process.held_bytes", heldBytes),
    ]
    for (less, more) in zip(ascending, ascending.dropFirst()) where less.1 > more.1 {
      throw ConfigurationError("\(less.0): \(less.1) is more than \(more.0), which is \(more.1); it must not be")
    }
  }

  /// The settings.
  static var keys: [ConfigurationKey] { LimitSetting.all.map(\.key) }

  /// A setting: what it is called, what it may be, and where its value goes.
  private struct LimitSetting {
    /// Less would not hold one large message.
    static let bytes = 8_388_608...1_099_511_627_776
    /// A year.
    static let mostSeconds = 31_536_000

    let key: ConfigurationKey
    let range: ClosedRange<Int>
    let take: (inout ServiceLimits, Int) -> Void

    private init(
      _ name: String, _ summary: String, _ value: Int, in range: ClosedRange<Int>,
      _ take: @escaping (inout ServiceLimits, Int) -> Void
    ) {
      key = ConfigurationKey(name, summary, default: "\(value)")
      self.range = range
      self.take = take
    }

    static func number(
      _ name: String, _ place: WritableKeyPath<ServiceLimits, Int>, in range: ClosedRange<Int>, _ summary: String
    ) -> LimitSetting {
      LimitSetting(name, summary, ServiceLimits()[keyPath: place], in: range) { $0[keyPath: place] = $1 }
    }

    static func seconds(
      _ name: String, _ place: WritableKeyPath<ServiceLimits, Duration>, _ summary: String
    ) -> LimitSetting {
      let value = Int(ServiceLimits()[keyPath: place].components.seconds)
      return LimitSetting(name, summary, value, in: 1...mostSeconds) { $0[keyPath: place] = .seconds($1) }
    }

    /// 0 says that there is no such time.
    static func seconds(
      _ name: String, orNever place: WritableKeyPath<ServiceLimits, Duration?>, _ summary: String
    ) -> LimitSetting {
      let value = ServiceLimits()[keyPath: place].map { Int($0.components.seconds) } ?? 0
      return LimitSetting(name, summary, value, in: 0...mostSeconds) {
        $0[keyPath: place] = $1 == 0 ? nil : .seconds($1)
      }
    }

    static var all: [LimitSetting] { ofCallers + ofProcess + ofUpstreams }

    private static var ofCallers: [LimitSetting] {
      [
        number(
          "connections.maximum", \.maximumConnections, in: 1...1_000_000,
          "connections of callers at once; more are closed as they come"),
        number(
          "connections.per_address", \.addresses.openConnections, in: 0...1_000_000,
          "connections of one address at once, of IPv6 of one /64; more are closed as they come; 0 means any number"),
        number(
          "connections.new_per_address_second", \.addresses.connectionsPerSecond, in: 0...100_000,
          "new connections of one address in a second, and \(AddressLimits.burstSeconds) times as many at once; 0 means any number"
        ),
        number(
          "connections.calls_per_second", \.callsPerSecond, in: 0...1_000_000,
          "calls that one connection may begin in a second; 0 means any number"),
        number(
          "connections.held_bytes", \.http2.heldBytes, in: 65_536...1_099_511_627_776,
          "bytes that a connection holds before it takes no more streams"),
        number(
          "connections.most_held_bytes", \.http2.mostHeldBytes, in: bytes,
          "bytes that a connection holds before calls that add to them fail"),
        seconds("connections.handshake_seconds", \.server.handshakeTime, "how long TLS and the first bytes may take"),
        seconds("connections.header_seconds", \.server.headerTime, "how long a caller may take to send its headers"),
        seconds(
          "connections.stall_seconds", \.server.stallTime,
          "how long a caller may take nothing, or stop in the middle of a message"),
        seconds(
          "connections.keepalive_seconds", orNever: \.server.keepaliveTime,
          "silence after which a caller is asked for a sign of life; 0 means never"),
        seconds(
          "connections.keepalive_timeout_seconds", \.server.keepaliveTimeout, "how long that sign of life may take"),
        seconds(
          "connections.minimum_ping_seconds", \.server.minimumPingInterval, "least time between two pings of a caller"),
        seconds(
          "connections.minimum_ping_seconds_without_calls", \.server.minimumPingIntervalWithoutCalls,
          "the same while it makes no call"),
        number(
          "connections.ping_strikes", \.server.pingStrikes, in: 0...1_000, "pings too many that are forgiven a caller"),
        seconds(
          "connections.idle_seconds", orNever: \.server.idleTime,
          "time without a call after which a connection ends; 0 means never"),
        seconds(
          "connections.age_seconds", orNever: \.server.maximumAge,
          "age at which a caller is asked to connect anew, a tenth more or less; 0 means never"),
        seconds(
          "connections.age_grace_seconds", orNever: \.server.ageGrace,
          "how long calls may still run then; 0 means to their end"),
      ]
    }

    private static var ofProcess: [LimitSetting] {
      [
        number(
          "process.held_bytes", \.heldBytes, in: bytes,
          "bytes that all connections hold before calls that add to them fail"),
        number(
          "process.inflated_bytes", \.calls.inflatedBytes, in: bytes,
          "bytes that the compressed requests of running calls may hold when inflated"),
      ]
    }

    private static var ofUpstreams: [LimitSetting] {
      [
        seconds(
          "upstream_connections.keepalive_seconds", orNever: \.upstream.keepaliveTime,
          "silence after which a service is asked for a sign of life; 0 means never"
        ),
        seconds(
          "upstream_connections.keepalive_timeout_seconds", \.upstream.keepaliveTimeout,
          "how long that sign of life may take"),
        seconds(
          "upstream_connections.idle_seconds", orNever: \.upstream.idleTime,
          "time without a call after which a connection to a service ends; 0 means never"),
        seconds(
          "upstream_connections.stall_seconds", \.upstream.stallTime,
          "how long a service may take nothing, or stop in the middle of a message"),
      ]
    }
  }
}
