import API
import Foundation
import FoundationNetworking
import Logging
import MainstayTesting
import RPCCore
import RPCTransport
import ServiceRuntime
import Testing

/// With the real program of the gateway, before a service of the test's.
@Suite(
  "What the gateway tells its operators of the services behind it", .timeLimit(.minutes(10)),
  .enabled(if: Program.exists("mainstay-gateway"), "the programs are not built: make release"))
struct GatewayMetricsTests {
  @Test("Attempts at services are counted by method, target and status; what is refused at the door is none")
  func attempts() async throws {
    let authority = try TestAuthority()
    let group = try EventLoopGroup(count: 1)
    defer { group.stop() }
    let (notes, noting) = AsyncStream<String>.makeStream()
    let router = try InfrastructureServices.router(
      WhoAmI(loops: group, notes: noting).methodBindings, health: .serving([]), access: .checked)
    let service = try await Server(
      .init(host: "127.0.0.1", port: 0, tls: authority.issue("customer", role: "service")),
      acceptor: GRPCAcceptor(router: router, logger: Logger(label: "test")), group: group)
    let (port, operators) = (try freePort(), try freePort())
    _ = try authority.issue("gateway", role: "service")
    let file = try authority.folder.write(
      "gateway.yaml",
      """
      listen: 127.0.0.1:\(port)
      tls: {certificate: gateway.pem, private_key: gateway-key.pem, authority: ca.pem}
      operators: {listen: "127.0.0.1:\(operators)"}
      upstreams: {customer: "127.0.0.1:\(service.port)", partner: "127.0.0.1:1"}
      """)
    let gateway = try Program.Running("mainstay-gateway", ["--config", file])
    defer { gateway.signal(SIGKILL) }
    let context = try TLSContext(try authority.issue("manager", role: "administrator", hosts: []), role: .client)
    try await group.first.run {
      let channel = ClientChannel(host: "127.0.0.1", port: port, tls: context, loop: group.first)
      try await call(channel, notes)
      channel.close()
    }
    let (data, _) = try await URLSession.shared.data(
      from: try #require(URL(string: "http://127.0.0.1:\(operators)/metrics")))
    let lines = String(decoding: data, as: UTF8.self).split(separator: "\n").filter {
      $0.contains("grpc_client_attempt")
    }
    let labels =
      "grpc_method=\"mainstay.platform.v1.EventService/Subscribe\",grpc_target=\"127.0.0.1:\(service.port)\""
    let started = lines.filter { $0.hasPrefix("grpc_client_attempt_started_total{") }
    #expect(started == ["grpc_client_attempt_started_total{\(labels)} 3"])
    let counts = lines.filter { $0.hasPrefix("grpc_client_attempt_duration_seconds_count{") }
    #expect(
      counts == [
        "grpc_client_attempt_duration_seconds_count{\(labels),grpc_status=\"OK\"} 2",
        "grpc_client_attempt_duration_seconds_count{\(labels),grpc_status=\"CANCELLED\"} 1",
      ])
    // Requests without a field are five bytes each, as their frames are.
    let sent = "grpc_client_attempt_sent_total_compressed_message_size_bytes_sum{\(labels),grpc_status=\"OK\"} 10"
    #expect(lines.contains(Substring(sent)), "\(lines)")
    await service.shutdown(grace: .zero)
  }

  /// Two calls that succeed, two that get no further than the gateway, and one that is cancelled at the service.
  private func call(_ channel: ClientChannel, _ notes: AsyncStream<String>) async throws {
    let client = EventServiceClient(channel: channel)
    func options(_ service: String, _ metadata: String...) -> CallOptions {
      var options = CallOptions(waitForReady: true)
      options.metadata.add("mainstay-service", service)
      for name in metadata { options.metadata.add(name, "1") }
      return options
    }
    for _ in 0..<2 {
      let replies = try await client.subscribe(SubscribeRequest(), options: options("customer"))
      while try await replies.next() != nil {}
    }
    for refused in ["partner", "nobody"] {
      let replies = try await client.subscribe(SubscribeRequest(), options: options(refused))
      await #expect(throws: RPCError.self) { try await replies.next() }
    }
    var events = notes.makeAsyncIterator()
    let call = try await channel.open(EventServiceMethods.subscribe, options("customer", "x-hang"))
    try await call.send(framed: [0, 0, 0, 0, 0])
    call.finishSending()
    #expect(await events.next() == "started")
    call.cancel()
    #expect(await events.next() == "cancelled")
  }
}
