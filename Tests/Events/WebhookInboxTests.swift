import API
import Core
import CustomerService
import Foundation
import MainstayTesting
import Protobuf
import RPCCore
import Storage
import Testing
import Webhooks

/// A customer service that takes posts, and whoever posts to it.
private final class InboxScene: Sendable {
  let service: InProcessService<CustomerServiceApplication>
  let inbox: WebhookInbox
  private let router: Router

  init() async throws {
    service = try await InProcessService<CustomerServiceApplication>(beside: Webhooks.migrations)
    inbox = WebhookInbox(
      database: service.database, clock: service.clock, random: SystemRandom(),
      key: try WebhookKey(path: service.folder.file("key"), random: SystemRandom()),
      kinds: service.application.postKinds)
    router = Router(inbox.methodBindings)
  }

  func call<Request: Message, Response: Message>(
    _ method: MethodDescriptor, _ request: Request
  ) async throws -> Response {
    try await service.unary(method, request, caller: "gateway", router: router)
  }

  func create(_ name: String = "east-bank") async throws -> (id: String, secret: String) {
    let made: CreateWebhookSourceResponse = try await call(
      WebhookSourceServiceMethods.createWebhookSource, CreateWebhookSourceRequest(name: name, kind: "parties"))
    return (try #require(made.source?.sourceID), made.secret)
  }

  /// A post of one party, signed by a program that is not ours.
  func request(
    _ source: (id: String, secret: String), _ id: String, body: String, secondsOff: Int64 = 0
  ) async throws -> ReceiveWebhookRequest {
    let time = "\(service.clock.now().seconds + secondsOff)"
    let path = try service.folder.write("body-\(UUID())", body)
    let signed = try await Python.run(
      script: "Tests/Events/sign_post.py", arguments: [source.secret, id, time, path], modules: ["hmac"])
    return ReceiveWebhookRequest(
      sourceID: source.id, webhookID: id, timestamp: time, signature: try #require(signed).output,
      body: Array(body.utf8))
  }

  func post(_ request: ReceiveWebhookRequest) async throws -> ReceiveWebhookResponse {
    try await call(WebhookSourceServiceMethods.receiveWebhook, request)
  }

  func body(_ key: String, name: String = "王小明", source: String = "") -> String {
    #"{"source": "\#(source)", "rows": [{"line": 1, "party": {"sourceKey": "\#(key)", "person": {"fullName": "\#(name)"}}}]}"#
  }

  func unapplied(_ source: (id: String, secret: String)) async throws -> [UnappliedPost] {
    let listed: ListUnappliedPostsResponse = try await call(
      WebhookSourceServiceMethods.listUnappliedPosts, ListUnappliedPostsRequest(sourceID: source.id))
    return listed.posts
  }

  func apply(
    _ source: (id: String, secret: String), _ ids: [String] = [], discard: Bool = false
  ) async throws -> ApplyUnappliedPostsResponse {
    try await call(
      WebhookSourceServiceMethods.applyUnappliedPosts,
      ApplyUnappliedPostsRequest(sourceID: source.id, webhookIDs: ids, discard: discard))
  }
}

@Suite(.timeLimit(.minutes(10))) struct WebhookInboxTests {
  @Test func aSignedPostIsAppliedOnceAndItsRepetitionIsAnsweredTheSame() async throws {
    let scene = try await InboxScene()
    let source = try await scene.create()
    let first = try await scene.post(scene.request(source, "msg_1", body: scene.body("1", source: "another")))
    #expect(first.applied && first.answer == #"{"created":"1"}"#)
    // Signed anew, as a sender does that did not get the answer.
    let again = try await scene.post(scene.request(source, "msg_1", body: scene.body("1", source: "another")))
    #expect(again == first)
    #expect(try await scene.service.number("SELECT count(*) FROM party WHERE source = 'east-bank'") == 1)
    #expect(try await scene.service.number("SELECT count(*) FROM party") == 1, "a post is of its own source")
    #expect(try await scene.service.number("SELECT count(*) FROM event WHERE actor = '\(source.id)'") == 1)
    let changed = try await scene.post(scene.request(source, "msg_2", body: scene.body("1", name: "王大明")))
    #expect(changed.answer == #"{"updated":"1"}"#)
    // The first one once more, late: it does not undo the second.
    #expect(try await scene.post(scene.request(source, "msg_1", body: scene.body("1", source: "another"))) == first)
    #expect(try await scene.service.number("SELECT max(version) FROM party") == 2)
    #expect(scene.inbox.figures.applied == 4 && scene.inbox.figures.refused == 0)
  }

  @Test func whatIsNotSignedByItsSourceOrNotOfNowIsRefusedAlike() async throws {
    let scene = try await InboxScene()
    let (source, other) = (try await scene.create(), try await scene.create("west-bank"))
    let good = try await scene.request(source, "msg_1", body: scene.body("1"))
    var bad: [ReceiveWebhookRequest] = []
    func add(_ change: (inout ReceiveWebhookRequest) -> Void) {
      var request = good
      change(&request)
      bad.append(request)
    }
    add { $0.body[20] ^= 1 }
    add { $0.webhookID = "msg_2" }
    add { $0.timestamp = "\((Int64($0.timestamp) ?? 0) + 1)" }
    add { $0.timestamp = "+\($0.timestamp)" }
    add { $0.timestamp = "-9223372036854775808" }
    add { $0.sourceID = other.id }
    add { $0.sourceID = "whs_nobody" }
    add { $0.signature = "" }
    add { $0.signature = "v2" + $0.signature.dropFirst(2) }
    add { $0.signature = String($0.signature.dropLast(4)) }
    add { $0.signature = Array(repeating: "v1,AAAA", count: 8).joined(separator: " ") + " " + $0.signature }
    bad.append(try await scene.request((source.id, other.secret), "msg_1", body: scene.body("1")))
    bad.append(try await scene.request(source, "msg_1", body: scene.body("1"), secondsOff: -301))
    bad.append(try await scene.request(source, "msg_1", body: scene.body("1"), secondsOff: 302))
    bad.append(try await scene.request(source, String(repeating: "x", count: 65), body: scene.body("1")))
    bad.append(
      try await scene.request(source, "msg_1", body: String(repeating: " ", count: WebhookInbox.maximumBodyBytes + 1)))
    var messages: Set<String> = []
    for (index, request) in bad.enumerated() {
      let error = await failure { try await scene.post(request) }
      #expect(error?.code == .unauthenticated, "\(index)")
      messages.insert(error?.message ?? "")
    }
    #expect(messages.count == 1)
    #expect(try await scene.service.number("SELECT count(*) FROM party") == 0)
    #expect(scene.inbox.figures.refused == bad.count)
    // Of several signatures one must be right.
    var several = good
    several.signature = "v1,AAAA v0,x \(good.signature)"
    #expect(try await scene.post(several).applied)
    #expect(
      try await scene.post(scene.request(source, "msg_9", body: scene.body("9"), secondsOff: -295)).applied)
  }

  @Test func afterARotationBothSecretsCountForADay() async throws {
    let scene = try await InboxScene()
    let old = try await scene.create()
    let rotated: CreateWebhookSourceResponse = try await scene.call(
      WebhookSourceServiceMethods.rotateWebhookSourceSecret, RotateWebhookSourceSecretRequest(sourceID: old.id))
    let new = (id: old.id, secret: rotated.secret)
    #expect(new.secret != old.secret)
    #expect(try await scene.post(scene.request(old, "msg_1", body: scene.body("1"))).applied)
    #expect(try await scene.post(scene.request(new, "msg_2", body: scene.body("2"))).applied)
    scene.service.clock.advance(seconds: 24 * 3_600)
    let late = try await scene.request(old, "msg_3", body: scene.body("3"))
    #expect(await failure { try await scene.post(late) }?.code == .unauthenticated)
    #expect(try await scene.post(scene.request(new, "msg_3", body: scene.body("3"))).applied)
  }

  @Test func whatCannotBeAppliedIsKeptAnsweredTheSameAndCanBeAppliedLater() async throws {
    let scene = try await InboxScene()
    let source = try await scene.create()
    _ = try await scene.post(scene.request(source, "msg_1", body: scene.body("1")))
    // A person cannot become a company, and no row of a post with such a one is taken.
    let company =
      #"{"rows": [{"line": 1, "party": {"sourceKey": "2", "person": {"fullName": "李四"}}}, "#
      + #"{"line": 2, "party": {"sourceKey": "1", "company": {"name": "第一公司"}}}]}"#
    for _ in 0..<2 {
      let kept = try await scene.post(scene.request(source, "msg_2", body: company))
      #expect(!kept.applied && kept.answer.isEmpty)
    }
    for (id, body) in [("msg_3", "no JSON"), ("msg_4", #"{"unknown": 1}"#), ("msg_5", "")] {
      #expect(try await !scene.post(scene.request(source, id, body: body)).applied)
    }
    #expect(try await scene.service.number("SELECT count(*) FROM party") == 1)
    let posts = try await scene.unapplied(source)
    #expect(posts.map(\.webhookID) == ["msg_2", "msg_3", "msg_4", "msg_5"])
    #expect(posts.first?.body == Array(company.utf8) && posts.first?.error.contains("rows[line 2]") == true)
    let inVain = try await scene.apply(source)
    #expect(inVain.done == 0 && inVain.refused == 4)
    #expect(try await scene.unapplied(source).allSatisfy { $0.attempts == 2 })
    // Somebody puts right what was in its way.
    try await scene.service.database.commit(
      Batch([
        Statement("DELETE FROM membership"), Statement("DELETE FROM party"), Statement("DELETE FROM customer"),
      ]), lane: .interactive)
    let applied = try await scene.apply(source, ["msg_2"])
    #expect(applied.done == 1 && applied.refused == 0)
    #expect(try await scene.service.number("SELECT count(*) FROM party") == 2)
    // Its sender, who asks again, gets the answer of what was applied.
    let repeated = try await scene.post(scene.request(source, "msg_2", body: company))
    #expect(repeated.applied && repeated.answer == #"{"created":"2"}"#)
    #expect(await failure { try await scene.apply(source, discard: true) }?.fields == ["webhook_ids"])
    #expect(try await scene.apply(source, ["msg_3", "msg_4", "msg_9"], discard: true).done == 2)
    #expect(try await scene.unapplied(source).map(\.webhookID) == ["msg_5"])
    #expect(try await scene.inbox.unappliedPosts() == 1)
    let _: DeleteWebhookSourceResponse = try await scene.call(
      WebhookSourceServiceMethods.deleteWebhookSource, DeleteWebhookSourceRequest(sourceID: source.id))
    #expect(try await scene.inbox.unappliedPosts() == 0)
    let after = try await scene.request(source, "msg_6", body: scene.body("6"))
    #expect(await failure { try await scene.post(after) }?.code == .unauthenticated)
  }

  @Test func whoPostsTooMuchIsToldToWaitAndNobodyElseIs() async throws {
    let scene = try await InboxScene()
    let (busy, other) = (try await scene.create(), try await scene.create("west-bank"))
    let request = try await scene.request(busy, "msg_1", body: scene.body("1"))
    var refused: RPCError?
    for _ in 0..<1_000 where refused == nil {
      refused = await failure { try await scene.post(request) }
    }
    #expect(refused?.code == .resourceExhausted)
    #expect(try await scene.post(scene.request(other, "msg_1", body: scene.body("1"))).applied)
    scene.service.clock.advance(seconds: 1)
    #expect(try await scene.post(request).applied)
  }

  @Test func aSourceHasANameOfItsOwnAndAKindThatTheServiceTakes() async throws {
    let scene = try await InboxScene()
    _ = try await scene.create()
    for (name, kind, fields) in [
      ("", "parties", ["name"]), ("Bank", "parties", ["name"]), ("a b", "parties", ["name"]),
      (String(repeating: "a", count: 41), "parties", ["name"]), ("b", "payments", ["kind"]),
      ("", "", ["name", "kind"]),
    ] {
      let error = await failure { () -> CreateWebhookSourceResponse in
        try await scene.call(
          WebhookSourceServiceMethods.createWebhookSource, CreateWebhookSourceRequest(name: name, kind: kind))
      }
      #expect(error?.fields == fields, "\(name) \(kind)")
    }
    #expect(await failure { try await scene.create() }?.code == .alreadyExists)
    let listed: ListWebhookSourcesResponse = try await scene.call(
      WebhookSourceServiceMethods.listWebhookSources, ListWebhookSourcesRequest())
    #expect(listed.sources.map(\.name) == ["east-bank"] && listed.kinds.map(\.name) == ["parties"])
    #expect(listed.kinds.first?.message == ImportPartiesRequest.fullName)
  }
}
