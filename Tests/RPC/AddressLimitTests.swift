import Glibc
import Logging
import MainstayTesting
import RPCCore
import Testing

@testable import RPCTransport

@Suite("What one address may ask of a server", .timeLimit(.minutes(10)))
struct AddressLimitTests {
  private static let second: UInt64 = 1_000_000_000

  private func source(_ address: String) -> SourceAddress? {
    SocketAddress.resolve(host: address, port: 443, literal: true).first?.source
  }

  @Test("The port does not count, of IPv6 only the /64 does, and IPv4 in IPv6's form is IPv4")
  func sources() {
    #expect(source("192.0.2.1") != nil && source("192.0.2.1") != source("192.0.2.2"))
    #expect(source("2001:db8:1:2::1") == source("2001:db8:1:2:ffff:1:2:3"))
    #expect(source("2001:db8:1:2::1") != source("2001:db8:1:3::1"))
    #expect(source("::ffff:192.0.2.1") == source("192.0.2.1"))
  }

  @Test("An address has so many connections at once, whatever others have")
  func openConnections() {
    var limits = AddressLimits()
    limits.openConnections = 2
    let gate = ConnectionGate(limits)
    let (one, other) = (SourceAddress.v4(1), SourceAddress.v4(2))
    let lets = { (source: SourceAddress) in gate.lets(source, isFull: false, at: 0) }
    #expect([lets(one), lets(one), lets(one), lets(other)] == [true, true, false, true])
    gate.giveBack(one)
    #expect([lets(one), lets(one)] == [true, false])
    #expect(gate.refused == [.addressConnections: 2])
  }

  @Test("An address begins so many connections a second, and twenty seconds' worth after a pause")
  func newConnections() {
    var limits = AddressLimits()
    limits.connectionsPerSecond = 5
    let gate = ConnectionGate(limits)
    let counts = [10, 12].map { (seconds: UInt64) in
      (0..<200).filter { _ in gate.lets(.v4(1), isFull: false, at: seconds * Self.second) }.count
    }
    #expect(counts == [100, 10])
    #expect(gate.lets(.v4(2), isFull: false, at: 12 * Self.second))
    #expect(gate.refused == [.addressRate: 290])
  }

  @Test("A connection over the limit is closed before a byte of TLS, and one that ends makes room")
  func closedBeforeTLS() async throws {
    let group = try EventLoopGroup(count: 2)
    defer { group.stop() }
    let identities = try TestIdentities()
    let acceptor = GRPCAcceptor(router: Probe(loops: group).router, logger: Logger(label: "test"))
    var configuration = Server.Configuration(host: "127.0.0.1", port: 0, tls: try identities.server(.none))
    configuration.addresses.openConnections = 2
    // These connections say nothing, and are not to be closed for that.
    configuration.connectionLimits.handshakeTime = .seconds(3_600)
    let server = try await Server(configuration, acceptor: acceptor, group: group)
    let first = try connected(server.port)
    let second = try connected(server.port)
    let third = try connected(server.port)
    #expect(await eventually { server.refusedConnections == [.addressConnections: 1] })
    var byte: UInt8 = 0
    #expect(recv(third, &byte, 1, 0) <= 0)
    close(third)
    close(first)
    #expect(await eventually { server.connectionCount == 1 })
    let fourth = try connected(server.port)
    #expect(await eventually { server.connectionCount == 2 })
    #expect(group.connectionCounts().open == 2 && server.refusedConnections == [.addressConnections: 1])
    for descriptor in [second, fourth] { close(descriptor) }
    await server.shutdown(grace: .zero)
  }

  @Test("A connection that begins too many calls is told to be calm, and goes on")
  func callsOfAConnection() async throws {
    let group = try EventLoopGroup(count: 1)
    defer { group.stop() }
    let identities = try TestIdentities()
    let acceptor = GRPCAcceptor(router: Probe(loops: group).router, logger: Logger(label: "test"))
    var configuration = Server.Configuration(host: "127.0.0.1", port: 0, tls: try identities.server(.none))
    // Two at once; the server sees all calls in one turn, or in few.
    configuration.callsPerSecond = 2
    let server = try await Server(configuration, acceptor: acceptor, group: group)
    let context = try TLSContext(identities.ours.anonymous, role: .client)
    let codes = try await group.first.run { [loop = group.first, port = server.port] in
      let channel = ClientChannel(host: "127.0.0.1", port: port, tls: context, loop: loop)
      defer { channel.close() }
      return await withTaskGroup(of: StatusCode.self) { calls in
        for _ in 0..<200 {
          calls.addTask {
            do {
              _ = try await channel.unary(Probe.echo, framed: framed("hello"), .init())
              return .ok
            } catch { return RPCError(converting: error).code }
          }
        }
        return await calls.reduce(into: []) { $0.append($1) }
      }
    }
    #expect(codes.contains(.ok))
    #expect(codes.filter { $0 == .resourceExhausted }.count > 100, "\(codes)")
    #expect(Set(codes) == [.ok, .resourceExhausted])
    await server.shutdown(grace: .zero)
  }

  private func connected(_ port: Int) throws -> Int32 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    let address = try #require(SocketAddress.resolve(host: "127.0.0.1", port: port, literal: true).first)
    #expect(address.withPointer { connect(descriptor, $0, $1) } == 0)
    return descriptor
  }
}
