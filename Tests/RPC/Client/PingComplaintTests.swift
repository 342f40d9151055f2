import Logging
import MainstayTesting
import RPCCore
import Testing

@testable import RPCTransport

@Suite("A client that pings too often", .timeLimit(.minutes(10)))
struct PingComplaintTests {
  @Test("It asks half as often each time that it is told so; another end of a connection changes nothing")
  func doubled() async throws {
    let group = try EventLoopGroup(count: 1)
    defer { group.stop() }
    let loop = group.first
    let identities = try TestIdentities()
    let server = try await Server(
      .init(host: "127.0.0.1", port: 0, tls: identities.server()),
      acceptor: GRPCAcceptor(router: Probe(loops: group).router, logger: Logger(label: "test")), group: group)
    let context = try TLSContext(identities.client(), role: .client)
    try await loop.run {
      let hasty = try Losses(port: server.port, context, keepaliveTime: .milliseconds(5), loop)
      for milliseconds in [10, 20, 40] {
        await hasty.lose()
        #expect(hasty.keepaliveTime == .milliseconds(milliseconds))
      }
      let patient = try Losses(port: server.port, context, keepaliveTime: .seconds(60), loop)
      await patient.connect()
      loop.spawn { await server.shutdown(grace: .seconds(60)) }
      await patient.lose()
      #expect(patient.keepaliveTime == .seconds(60))
    }
  }

  @Test("The time grows to two hours at most, and is not made less")
  func bound() {
    var limits = ConnectionLimits.client
    limits.doubleKeepaliveTime()
    #expect(limits.keepaliveTime == nil)
    for (before, after) in [(10, 20), (5_000, 7_200), (7_200, 7_200), (9_000, 9_000)] {
      limits.keepaliveTime = .seconds(before)
      limits.doubleKeepaliveTime()
      #expect(limits.keepaliveTime == .seconds(after))
    }
  }
}

/// Connects to a server and waits until the connection is lost.
private final class Losses: SubchannelOwner {
  private let subchannel: Subchannel
  private let changes = Notes()

  init(port: Int, _ context: TLSContext, keepaliveTime: Duration, _ loop: EventLoop) throws {
    var configuration = ConnectionPool.Configuration()
    configuration.connectTimeout = .seconds(60)
    configuration.connectionLimits.keepaliveTime = keepaliveTime
    configuration.connectionLimits.pingsWithoutCalls = true
    subchannel = Subchannel(
      target: ConnectionTarget(host: "127.0.0.1", port: port),
      address: try #require(SocketAddress.resolve(host: "127.0.0.1", port: port).first), isExtra: false, loop: loop,
      certificates: context, configuration: configuration)
    subchannel.owner = self
  }

  var keepaliveTime: Duration? { subchannel.connectionLimits.keepaliveTime }

  func connect() async {
    while subchannel.machine.state != .ready {
      subchannel.connect()
      _ = await changes.next()
    }
  }

  func lose() async {
    await connect()
    while subchannel.machine.state == .ready { _ = await changes.next() }
  }

  func subchannelChanged(_ subchannel: Subchannel) { changes.note("") }
  func subchannelFailed(_ subchannel: Subchannel) { changes.note("") }
}
