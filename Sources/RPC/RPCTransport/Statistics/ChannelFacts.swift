/// One connection, as it was when somebody asked.
public struct SocketFacts: Sendable {
  /// Unique within the process.
  public let identifier: Int64
  /// Own address; nil if the connection is being made or is gone.
  public let local: AddressFacts?
  /// The peer's address; nil if the connection is being made or is gone.
  public let remote: AddressFacts?
  /// Name and role in the peer's certificate, "agent (service)", or the name that a client asked for.
  public let peerName: String
  /// Streams that are open.
  public let openStreams: Int
  /// What has happened.
  public let statistics: ConnectionStatistics
}

/// An IP address and port.
public struct AddressFacts: Sendable, CustomStringConvertible {
  /// 4 or 16 bytes.
  public let bytes: [UInt8]
  /// The port.
  public let port: Int
  /// "127.0.0.1:7443".
  public let description: String
}

/// What a channel has to reach one address, as it was when somebody asked.
public struct SubchannelFacts: Sendable {
  /// Unique within the process.
  public let identifier: Int64
  /// The address.
  public let target: String
  /// What becomes of the connection.
  public let state: ConnectivityState
  /// Of all connections that there were.
  public let statistics: ConnectionStatistics
  /// Why the last connection or attempt ended, in words; nil if none did.
  public let lastError: String?
  /// When that was, on the loop's monotonic clock.
  public let lastErrorNanoseconds: UInt64
  /// The connection while it stands.
  public let socket: SocketFacts?
  /// Whether nothing is known against the health of whom it leads to.
  public let isServing: Bool
  /// Whether whom it leads to is left out because calls fail there.
  public let isEjected: Bool
}

/// A channel to another service, as it was when somebody asked.
public struct ChannelFacts: Sendable {
  /// Unique within the process.
  public let identifier: Int64
  /// `ConnectionPool.Configuration.name`.
  public let name: String
  /// HOST:PORT.
  public let target: String
  /// What it is doing as a whole.
  public let state: ConnectivityState
  /// Of all its connections, those that are gone too.
  public let statistics: ConnectionStatistics
  /// Its subchannels.
  public let subchannels: [SubchannelFacts]
}

/// A server, as it was when somebody asked.
public struct ServerFacts: Sendable {
  /// Unique within the process.
  public let identifier: Int64
  /// Where it listens.
  public let name: String
  /// Of all its connections, those that are gone too.
  public let statistics: ConnectionStatistics
  /// Its connections, in order of their identifiers.
  public let sockets: [SocketFacts]
}
