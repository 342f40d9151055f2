import Logging
import RPCTransport
import Synchronization

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
  public func channel(to name: String) throws -> ClientChannel? { try channel(key: "upstreams.\(name)") }

  /// A channel to the service at the HOST:PORT that a setting names, as above.
  public func channel(key: String) throws -> ClientChannel? {
    guard !configuration.text(key).isEmpty else { return nil }
    let targets = try configuration.addresses(key).map { ConnectionTarget(host: $0.host, port: $0.port) }
    return ClientChannel(
      ConnectionPool(targets, loop: group.first, context: try upstreamCertificates(), configuration: upstreamPool),
      loop: group.first)
  }

  /// How connections to other services behave.
  public var upstreamPool: ConnectionPool.Configuration {
    var pool = ConnectionPool.Configuration()
    pool.maximumBackoff = ServiceEnvironment.maximumBackoff
    pool.logger = logger
    pool.limits = limits.http2
    pool.connectionLimits = limits.upstream
    pool.budget = limits.budget
    return pool
  }

  /// The own certificates for connections to other services: one for all of them, read again as the server's are.
  public func upstreamCertificates() throws -> any TLSContextSource {
    try clientCertificates.get {
      let certificates = try TLSCertificates(try tls(), role: .client, clock: group.first.clock) { [logger] in
        logger.certificatesRead($0, for: "upstreams")
      }
      certificates.watch(on: group.first)
      return certificates
    }
  }
}

/// Something that a process has one of, made when it is first asked for.
final class MadeOnce<Value: Sendable>: Sendable {
  private let made = Mutex<Value?>(nil)

  /// What there is, or a new one.
  func get(_ make: () throws -> Value) throws -> Value {
    try made.withLock { made in
      if let made { return made }
      let value = try make()
      made = value
      return value
    }
  }

  /// What there is.
  var value: Value? { made.withLock { $0 } }
}
