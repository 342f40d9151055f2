import API
import Core
import Foundation
import MainstayTesting
import RPCCore
import RPCTransport
import Testing

@Suite(
  "Callers whose certificate is revoked", .timeLimit(.minutes(10)),
  .enabled(if: Program.exists("mainstay-gateway"), "the programs are not built: make release"))
struct RevokedCallerTests {
  @Test("Their running calls end and they come no more; the calls of others go on")
  func calls() async throws {
    let scene = try await TokenScene(serviceVerifies: false, revokes: true)
    let (authority, group, port) = (scene.authority, scene.group, scene.port)
    let (gone, staying) = (
      try authority.issue("gone", role: "auditor", hosts: []),
      try authority.issue("staying", role: "auditor", hosts: [])
    )
    let contexts = try [gone, staying].map { try TLSContext($0, role: .client) }
    // The gateway is up when this is answered.
    _ = try await scene.actor([], as: "auditor").get()
    try await group.first.run {
      var events = scene.notes.makeAsyncIterator()
      let channels = contexts.map { ClientChannel(host: "127.0.0.1", port: port, tls: $0, loop: group.first) }
      var calls: [ClientCall] = []
      for channel in channels {
        var options = CallOptions(timeout: .seconds(300))
        options.metadata.add("mainstay-service", "customer")
        options.metadata.add("x-hang", "1")
        let call = try await channel.open(EventServiceMethods.subscribe, options)
        try await call.send(framed: [0, 0, 0, 0, 0])
        call.finishSending()
        #expect(await events.next() == "started")
        calls.append(call)
      }
      try authority.revoke([gone])
      let error = await #expect(throws: RPCError.self) { try await calls[0].receive() }
      #expect(error?.code == .unavailable, "\(scene.gateway.errors)")
      #expect(await events.next() == "cancelled")
      // The next attempt is a handshake that fails; what is asked of it is only that it does.
      var again = CallOptions(timeout: .seconds(60))
      again.metadata.add("mainstay-service", "customer")
      let options = again
      let refused = await #expect(throws: RPCError.self) {
        try await EventServiceClient(channel: channels[0]).subscribe(SubscribeRequest(), options: options).next()
      }
      #expect(refused?.code == .unavailable)
      // The other call has run all that time: only now it is cancelled, by its caller.
      calls[1].cancel()
      #expect(await events.next() == "cancelled")
      for channel in channels { channel.close() }
    }
    #expect(try await eventually { (try await scene.refused()["certificate_refused"] ?? 0) >= 2 })
    let log = scene.gateway.errors
    #expect(log.contains("\"detail\":\"the peer's certificate is not accepted any more"), "\(log)")
    #expect(log.contains("\"reason\":\"certificate_refused\""))
    await scene.stop()
  }
}
