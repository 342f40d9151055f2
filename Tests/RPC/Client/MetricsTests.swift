import Core
import Logging
import MainstayTesting
import RPCCore
import RPCTransport
import Testing

@Suite("Metrics of calls", .timeLimit(.minutes(10)))
struct MetricsTests {
  @Test("A histogram counts each figure at the first bound that it does not exceed")
  func bounds() {
    var histogram = Histogram(bounds: [0, 10, 20])
    for figure in [0, 5, 10, 10.5, 20, 21, 1e12] { histogram.record(figure) }
    #expect(histogram.counts == [1, 2, 2, 2])
    #expect(histogram.count == 7 && histogram.sum == 66.5 + 1e12)
    var double = histogram
    double += histogram
    #expect(double.counts == [2, 4, 4, 4])
    #expect(Histogram.secondsBounds == Histogram.secondsBounds.sorted() && Histogram.secondsBounds.count == 41)
    #expect(Histogram.bytesBounds == Histogram.bytesBounds.sorted() && Histogram.bytesBounds.count == 14)
  }

  @Test("Both ends count their calls by method and status, with their bytes")
  func calls() async throws {
    let loops = try EventLoopGroup(count: 2)
    let probe = Probe(loops: loops)
    let identities = try TestIdentities()
    let server = try await Server(
      .init(host: "127.0.0.1", port: 0, tls: identities.server()),
      acceptor: GRPCAcceptor(router: probe.router, logger: Logger(label: "test")), group: loops)
    let context = try TLSContext(identities.client(), role: .client)
    let loop = loops.first
    let channel = ClientChannel(host: "127.0.0.1", port: server.port, tls: context, loop: loop)
    try await loop.run {
      for _ in 0..<3 { _ = try await channel.unary(Probe.echo, framed: framed("hello"), .init()) }
      _ = await status { _ = try await channel.unary(Probe.fail, framed: framed("metadata"), .init()) }
      _ = await status { _ = try await channel.unary(Probe.method("None", .unary), framed: framed(""), .init()) }
      let call = try await channel.open(Probe.hang, .init())
      #expect(await probe.notes.next() == "started")
      call.cancel()
      #expect(await probe.notes.next() == "cancelled")
    }
    let served = try await loops.serverMetrics()
    #expect(served.map(\.method) == ["other", "test.Probe/Echo", "test.Probe/Fail", "test.Probe/Hang"])
    #expect(served.map(\.started) == [1, 3, 1, 1])
    let called = try #require(try await loops.clientMetrics().first { $0.target == "127.0.0.1:\(server.port)" }).methods
    #expect(called.map(\.method) == ["test.Probe/Echo", "test.Probe/Fail", "test.Probe/Hang", "test.Probe/None"])
    #expect(called.map(\.started) == [3, 1, 1, 1])
    for figures in [served[1], called[0]] {
      let ended = figures.ended.enumerated().compactMap { $1 == nil ? nil : $0 }
      #expect(ended == [StatusCode.ok.rawValue])
      let done = try #require(figures.ended[StatusCode.ok.rawValue])
      #expect(done.duration.count == 3 && done.duration.sum > 0)
      #expect(done.sentBytes.sum == 15 && done.receivedBytes.sum == 15)
    }
    for (figures, code) in [
      (served[0], StatusCode.unimplemented), (served[2], .aborted), (served[3], .cancelled), (called[1], .aborted),
      (called[2], .cancelled), (called[3], .unimplemented),
    ] { #expect(figures.ended[code.rawValue]?.duration.count == 1, "\(figures.method)") }
    await server.shutdown(grace: .zero)
    loops.stop()
  }
}
