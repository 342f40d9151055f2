import API
import Core
import Foundation
import MainstayTesting
import RPCCore
import Storage
import Testing

@Suite(.timeLimit(.minutes(10)))
struct WebhookTests {
  private func ids(_ range: ClosedRange<Int>) -> [String] { range.map { "evt_\(100 + $0)" } }

  @Test func eventsArriveSignedInTheirOrderAndOnlyThoseThatAreWanted() async throws {
    let scene = try await WebhookScene()
    try await scene.happen(["evt_before"])
    let all = try await scene.create("/ok/all")
    let some = try await scene.create("/ok/some", types: [AgentChanged.fullName], fromBeginning: true)
    try await scene.happen(ids(1...20))
    try await scene.happen(["evt_w"], type: AgentChanged.fullName)
    let hasAll = try await eventually(within: .seconds(60)) { scene.taken("/ok/all").count == 21 }
    #expect(hasAll)
    #expect(scene.taken("/ok/all") == (ids(1...20) + ["evt_w"]).map { "\($0) 1/1" })
    #expect(try await eventually(within: .seconds(60)) { scene.taken("/ok/some") == ["evt_w 1/1"] })
    for id in [all.webhookID, some.webhookID] {
      #expect(try await eventually(within: .seconds(60)) { try await scene.webhook(id).position == 22 })
    }
    await scene.stop()
  }

  @Test func aDeadOrSlowEndpointHoldsUpNobodyAndItsEventsBecomeDeadLettersThatCanBeSentAgain() async throws {
    let scene = try await WebhookScene()
    let dead = try await scene.create("/fail/a")
    _ = try await scene.create("/slow/a")
    _ = try await scene.create("/ok/a")
    try await scene.happen(["evt_1"])
    #expect(try await eventually(within: .seconds(60)) { scene.taken("/ok/a").count == 1 })
    #expect(try await eventually(within: .seconds(60)) { try await scene.webhook(dead.webhookID).failures == 1 })
    let failed = try await scene.webhook(dead.webhookID)
    #expect(failed.lastError == "the endpoint answered with status 500")
    #expect(failed.position == 0)
    // Each look at the clock is a millisecond: an hour passes only by hand, as does each pause.
    for failures in 2...16 {
      scene.clock.advance(seconds: 2 * 3_600)
      let isNext = try await eventually(within: .seconds(60)) {
        let now = try await scene.webhook(dead.webhookID)
        return now.failures >= failures || now.deadLetters == 1
      }
      #expect(isNext)
    }
    #expect(try await eventually(within: .seconds(60)) { try await scene.webhook(dead.webhookID).deadLetters == 1 })
    try await scene.happen(["evt_2"])
    #expect(try await eventually(within: .seconds(60)) { scene.taken("/ok/a").count == 2 })
    try scene.folder.write("heal", "")
    scene.clock.advance(seconds: 2 * 3_600)
    // The next one goes on; the dead letter stays until somebody wants it sent again.
    #expect(try await eventually(within: .seconds(60)) { scene.taken("/fail/a") == ["evt_2 1/1"] })
    let letters: ListDeadLettersResponse = try await scene.call(
      WebhookServiceMethods.listDeadLetters, ListDeadLettersRequest(webhookID: dead.webhookID))
    #expect(letters.deadLetters.map(\.event?.eventID) == ["evt_1"])
    #expect(letters.deadLetters.first?.attempts == 16)
    let replayed: ReplayDeadLettersResponse = try await scene.call(
      WebhookServiceMethods.replayDeadLetters,
      ReplayDeadLettersRequest(webhookID: dead.webhookID, eventIDs: ["evt_1"]))
    #expect(replayed.replayed == 1)
    #expect(try await eventually(within: .seconds(60)) { scene.taken("/fail/a") == ["evt_2 1/1", "evt_1 1/1"] })
    #expect(try await eventually(within: .seconds(60)) { try await scene.webhook(dead.webhookID).deadLetters == 0 })
    #expect(try await eventually(within: .seconds(60)) { scene.taken("/slow/a").suffix(1) == ["evt_2 1/1"] })
    await scene.stop()
  }

  @Test func whatIsPausedIsSentWhenItIsResumedAndWhatIsDeletedNever() async throws {
    let scene = try await WebhookScene()
    let (paused, deleted) = (try await scene.create("/ok/paused"), try await scene.create("/ok/deleted"))
    _ = try await scene.create("/ok/other")
    let state: Webhook = try await scene.call(
      WebhookServiceMethods.pauseWebhook, PauseWebhookRequest(webhookID: paused.webhookID))
    #expect(state.state == .paused)
    let _: DeleteWebhookResponse = try await scene.call(
      WebhookServiceMethods.deleteWebhook, DeleteWebhookRequest(webhookID: deleted.webhookID))
    try await scene.happen(ids(1...3))
    #expect(try await eventually(within: .seconds(60)) { scene.taken("/ok/other").count == 3 })
    #expect(scene.taken("/ok/paused").isEmpty)
    let _: Webhook = try await scene.call(
      WebhookServiceMethods.resumeWebhook, ResumeWebhookRequest(webhookID: paused.webhookID))
    #expect(try await eventually(within: .seconds(60)) { scene.taken("/ok/paused").count == 3 })
    #expect(scene.taken("/ok/deleted").isEmpty)
    await scene.stop()
  }

  @Test func afterARotationBothSecretsSignForADayAndNoSecretIsInTheDatabase() async throws {
    let scene = try await WebhookScene()
    let webhook = try await scene.create("/ok/a")
    let rotated: CreateWebhookResponse = try await scene.call(
      WebhookServiceMethods.rotateWebhookSecret, RotateWebhookSecretRequest(webhookID: webhook.webhookID))
    // The endpoint knows only the old secret yet.
    try await scene.happen(["evt_1"])
    #expect(try await eventually(within: .seconds(60)) { scene.taken("/ok/a") == ["evt_1 1/2"] })
    try scene.trust(rotated.secret)
    try await scene.happen(["evt_2"])
    #expect(try await eventually(within: .seconds(60)) { scene.taken("/ok/a").last == "evt_2 2/2" })
    scene.clock.advance(seconds: 24 * 3_600)
    try await scene.happen(["evt_3"])
    #expect(try await eventually(within: .seconds(60)) { scene.taken("/ok/a").last == "evt_3 1/1" })
    await scene.stop()
    let secret = try #require(Data(base64Encoded: String(rotated.secret.dropFirst(6))))
    #expect(secret.count == 32)
    let stored = try Data(contentsOf: URL(fileURLWithPath: scene.folder.file("events.db")))
    #expect(stored.range(of: secret) == nil && stored.range(of: Data(rotated.secret.utf8)) == nil)
    let mode = try FileManager.default.attributesOfItem(atPath: scene.folder.file("key"))[.posixPermissions] as? Int
    #expect(mode == 0o600)
  }

  @Test func addressesThatAreNotPublicAreRefusedUnlessTheirHostIsAllowed() async throws {
    let scene = try await WebhookScene(allowedHosts: [])
    let plain = await failure { try await scene.create("/ok/a") }
    #expect(plain?.fields == ["url"])
    for url in ["ftp://example.com/", "https://user@example.com/", "https://example.com/#x", "https:///x", "nonsense"] {
      let error = await failure { () -> CreateWebhookResponse in
        try await scene.call(WebhookServiceMethods.createWebhook, CreateWebhookRequest(url: url))
      }
      #expect(error?.fields == ["url"], "\(url)")
    }
    let port = try await scene.url("").split(separator: ":").last ?? ""
    // By a number, by a name that leads inside, in other writings of the same address, and the cloud's own service.
    for host in [
      "127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "10.0.0.1",
    ] {
      let made: CreateWebhookResponse = try await scene.call(
        WebhookServiceMethods.createWebhook,
        CreateWebhookRequest(url: "https://\(host):\(port)/ok/a", fromBeginning: true))
      try await scene.happen(["evt_\(host)"])
      let id = try #require(made.webhook?.webhookID)
      let isRefused = try await eventually(within: .seconds(60)) {
        try await scene.webhook(id).lastError == "the endpoint's address is not of the public internet"
      }
      let error = try await scene.webhook(id).lastError
      #expect(isRefused, "\(host): \(error)")
    }
    #expect(scene.taken("/ok/a").isEmpty)
    await scene.stop()
  }
}
