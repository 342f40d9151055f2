import RPCCore
import RPCTransport

/// Channels to the services of a fleet, straight to their replicas or through the gateway, and the loop that they live on.
final class FleetChannels: Sendable {
  let group: EventLoopGroup
  private let channels: [String: ClientChannel]

  /// As the administrator. Without a policy a call is sent once, so that what is retried, the gateway has retried.
  init(_ fleet: Fleet, retrying policy: RetryPolicy? = RetryPolicy()) async throws {
    let group = try EventLoopGroup(count: 1)
    self.group = group
    let pki = fleet.home.file("pki")
    let context = try TLSContext(
      TLSConfiguration(
        authorityPath: "\(pki)/ca.pem", certificateChainPath: "\(pki)/admin.pem",
        privateKeyPath: "\(pki)/admin-key.pem"), role: .client)
    var targets: [String: [ConnectionTarget]] = [:]
    for service in fleet.services {
      targets[service] = fleet.addresses(of: fleet.hasGateway ? "gateway" : service)
        .map { ConnectionTarget(host: "127.0.0.1", port: $0) }
    }
    let wanted = targets
    channels = try await group.first.run {
      wanted.mapValues { targets in
        var configuration = ConnectionPool.Configuration()
        configuration.policy = .roundRobin
        configuration.maximumBackoff = .milliseconds(100)
        let pool = ConnectionPool(targets, loop: group.first, context: context, configuration: configuration)
        return ClientChannel(pool, loop: group.first, retrying: policy)
      }
    }
  }

  var loop: EventLoop { group.first }
  var services: Set<String> { Set(channels.keys) }

  subscript(service: String) -> ClientChannel {
    guard let channel = channels[service] else { preconditionFailure("the fleet has no \(service)") }
    return channel
  }

  /// Runs it on the loop of the channels.
  func run<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) async throws -> Value {
    try await loop.run(body)
  }

  /// What says whose events or jobs are meant.
  func options(_ service: String, timeout: Duration? = nil) -> CallOptions {
    var options = timeout.map { CallOptions(timeout: $0) } ?? CallOptions()
    options.metadata.add("mainstay-service", service)
    return options
  }

  func close() async throws {
    let channels = channels
    try await run { for channel in channels.values { channel.close() } }
    group.stop()
  }
}
