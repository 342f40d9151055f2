import RPCTransport
import ServiceRuntime

/// Figures of the replicas behind the gateway, of all event loops together.
enum ReplicaGauges {
  private struct Replica {
    var connections = 0
    var calls = 0
    var isServing = true
    var isEjected = false
  }

  /// One of each kind for each replica of each upstream.
  static func gauges(_ channels: [ChannelFacts]) -> [Gauge] {
    var replicas: [String: [String: Replica]] = [:]
    for channel in channels where !channel.name.isEmpty {
      for subchannel in channel.subchannels {
        var replica = replicas[channel.name, default: [:]][subchannel.target, default: Replica()]
        replica.connections += subchannel.socket == nil ? 0 : 1
        replica.isServing = replica.isServing && subchannel.isServing
        replica.isEjected = replica.isEjected || subchannel.isEjected
        replica.calls += subchannel.socket?.openStreams ?? 0
        replicas[channel.name, default: [:]][subchannel.target] = replica
      }
    }
    func gauges(_ name: String, _ help: String, _ value: (Replica) -> Int) -> [Gauge] {
      replicas.sorted { $0.key < $1.key }.flatMap { upstream, all in
        all.sorted { $0.key < $1.key }.map { address, replica in
          Gauge(
            "mainstay_upstream_replica_\(name)", help: help, labels: ["upstream": upstream, "replica": address],
            value: Double(value(replica)))
        }
      }
    }
    return gauges("connections", "Connections to the replica that stand.", \.connections)
      + gauges("running_calls", "Calls that run on the replica.", \.calls)
      + gauges("serving", "Whether nothing is known against the replica's health.") { $0.isServing ? 1 : 0 }
      + gauges("ejected", "Whether the replica is left out because calls to it fail.") { $0.isEjected ? 1 : 0 }
  }
}
