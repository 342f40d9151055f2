import Core
import Logging
import MainstayTesting
import RPCCore
import RPCTransport
import Testing

@Suite("Statistics of connections", .timeLimit(.minutes(10)))
struct StatisticsTests {
  @Test("Both ends count streams, messages and bytes alike, and know each other's address and name")
  func counts() async throws {
    let loops = try EventLoopGroup(count: 2)
    let probe = Probe(loops: loops)
    let identities = try TestIdentities()
    let server = try await Server(
      .init(host: "127.0.0.1", port: 0, tls: identities.server()),
      acceptor: GRPCAcceptor(router: probe.router, logger: Logger(label: "test")), group: loops)
    let context = try TLSContext(identities.client(), role: .client)
    let loop = loops.first
    let channel = ClientChannel(host: "127.0.0.1", port: server.port, tls: context, loop: loop)
    #expect(try await loops.channelFacts().map(\.state) == [.idle])
    try await loop.run {
      for _ in 0..<3 { _ = try await channel.unary(Probe.echo, framed: framed("hello"), .init()) }
      let fill = try await channel.open(Probe.fill, .init())
      try await fill.send(framed: framed("10 100"))
      fill.finishSending()
      while try await fill.receive() != nil {}
    }
    try await loop.run {
      let call = try await channel.open(Probe.hang, .init())
      #expect(await probe.notes.next() == "started")
      call.cancel()
    }
    // The server hears of the reset a moment later.
    #expect(try await eventually { try await loops.serverFacts()[0].statistics.streamsFailed == 1 })
    let client = try #require(try await loops.channelFacts().first)
    let facts = try #require(try await loops.serverFacts().first)
    #expect(client.state == .ready && client.target == "127.0.0.1:\(server.port)")
    let (near, far) = (try #require(client.subchannels.first?.socket), try #require(facts.sockets.first))
    #expect(near.local?.description == far.remote?.description && near.remote?.description == far.local?.description)
    #expect(far.remote?.bytes == [127, 0, 0, 1] && far.remote?.port == near.local?.port)
    #expect(far.peerName == "ours-client (tester)" && near.peerName == "ours-server (service)")
    for statistics in [client.statistics, facts.statistics, near.statistics, far.statistics] {
      #expect(statistics.streamsStarted == 5)
      #expect(statistics.streamsSucceeded == 4 && statistics.streamsFailed == 1)
      #expect(statistics.lastStreamNanoseconds > 0)
    }
    #expect(far.statistics.messagesSent == 13 && near.statistics.messagesReceived == 13)
    #expect(near.statistics.messagesSent == far.statistics.messagesReceived)
    #expect(near.statistics.bytesReceived == far.statistics.bytesSent && near.statistics.bytesReceived > 1_000)
    // What is gone stays counted, and the channel says why.
    await server.shutdown(grace: .zero)
    #expect(try await eventually { try await loops.serverFacts()[0].sockets.isEmpty })
    #expect(try await loops.serverFacts()[0].statistics.streamsStarted == 5)
    let after = try #require(try await loops.channelFacts().first)
    #expect(after.statistics.streamsStarted == 5 && after.state != .ready)
    #expect(after.subchannels.first?.lastError != nil)
    loops.stop()
  }
}
