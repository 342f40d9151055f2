import Synchronization

/// The servers and pools of connections that belong to one event loop, so that they can be asked how they are.
public final class ChannelDirectory: Sendable {
  private struct Entries {
    var pools: [Int64: Weak<ConnectionPool>] = [:]
    var servers: [Int64: Weak<Server>] = [:]
    var channels: [Int64: Weak<ClientChannel>] = [:]
  }

  private struct Weak<Object: AnyObject & Sendable>: Sendable {
    weak var object: Object?
  }

  private let entries = Mutex(Entries())

  func add(_ pool: ConnectionPool) { entries.withLock { $0.pools[pool.identifier] = Weak(object: pool) } }
  func add(_ server: Server) { entries.withLock { $0.servers[server.identifier] = Weak(object: server) } }
  func add(_ channel: ClientChannel) { entries.withLock { $0.channels[channel.identifier] = Weak(object: channel) } }
  func removeChannel(_ identifier: Int64) { entries.withLock { _ = $0.channels.removeValue(forKey: identifier) } }
  func removePool(_ identifier: Int64) { entries.withLock { _ = $0.pools.removeValue(forKey: identifier) } }
  func removeServer(_ identifier: Int64) { entries.withLock { _ = $0.servers.removeValue(forKey: identifier) } }

  var pools: [ConnectionPool] { entries.withLock { $0.pools.values.compactMap(\.object) } }
  var channels: [ClientChannel] { entries.withLock { $0.channels.values.compactMap(\.object) } }
  var servers: [Server] { entries.withLock { $0.servers.values.compactMap(\.object) } }
}

extension EventLoopGroup {
  /// All channels of the group, in order of their identifiers; each loop tells of its own.
  public func channelFacts() async throws -> [ChannelFacts] {
    var facts: [ChannelFacts] = []
    for loop in loops { facts += try await loop.run { loop.directory.pools.map(\.facts) } }
    return facts.sorted { $0.identifier < $1.identifier }
  }

  /// Connections of all servers of the group: those that are open, and those that were turned away since the start.
  public func connectionCounts() -> (open: Int, refused: [ConnectionRefusal: Int]) {
    var counts: (open: Int, refused: [ConnectionRefusal: Int]) = (0, [:])
    for server in loops.flatMap(\.directory.servers) {
      counts.open += server.connectionCount
      counts.refused.merge(server.refusedConnections, uniquingKeysWith: +)
    }
    return counts
  }

  /// All servers of the group, in order of their identifiers; each loop tells of its own connections.
  public func serverFacts() async throws -> [ServerFacts] {
    var facts: [ServerFacts] = []
    for server in loops.flatMap(\.directory.servers) { facts.append(try await server.facts()) }
    return facts.sorted { $0.identifier < $1.identifier }
  }
}
