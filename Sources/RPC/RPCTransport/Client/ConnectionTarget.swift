/// A server that calls may go to.
public struct ConnectionTarget: Sendable, Equatable {
  /// IP address or name.
  public let host: String
  /// Its port.
  public let port: Int
  /// What its certificate must be for: a DNS name or an IP address.
  public let serverName: String

  /// A server at HOST:PORT, whose certificate must be for `serverName` (the host if nil).
  public init(host: String, port: Int, serverName: String? = nil) {
    self.host = host
    self.port = port
    self.serverName = serverName ?? host
  }

  /// ":authority" of calls to it: HOST:PORT.
  public var authority: String { "\(host.contains(":") ? "[\(host)]" : host):\(port)" }
}
