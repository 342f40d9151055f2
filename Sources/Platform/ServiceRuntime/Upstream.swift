import RPCTransport

extension ConfigurationKey {
  /// Where another service is, upstreams.NAME; may be left out. `purpose` says in a few words what it is called for.
  public static func upstream(_ name: String, _ purpose: String) -> ConfigurationKey {
    ConfigurationKey(
      "upstreams.\(name)", "HOST:PORT of the \(name) service (replicas with commas between), \(purpose)", default: "")
  }
}

extension ServiceEnvironment {
  /// Longest time between two attempts to reach another service: its events must be here within two seconds of its start.
  public static let maximumBackoff = Duration.milliseconds(500)

  /// A channel to another service as upstreams.NAME says, with the own certificate; nil if the setting is left out. It belongs
  /// to the first event loop.
  public func channel(to name: String) throws -> ClientChannel? {
    let key = "upstreams.\(name)"
    guard !configuration.text(key).isEmpty else { return nil }
    let targets = try configuration.addresses(key).map { ConnectionTarget(host: $0.host, port: $0.port) }
    var pool = ConnectionPool.Configuration()
    pool.maximumBackoff = ServiceEnvironment.maximumBackoff
    pool.logger = logger
    let context = try TLSContext(try tls(), role: .client)
    return ClientChannel(
      ConnectionPool(targets, loop: group.first, context: context, configuration: pool), loop: group.first)
  }
}
