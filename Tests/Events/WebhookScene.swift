import API
import Core
import Events
import Foundation
import MainstayTesting
import Protobuf
import RPCCore
import Storage
import StorageSQLite
import Testing
import WebhookSending
import Webhooks

/// A log with webhooks, and an endpoint in Python that takes their posts.
final class WebhookScene: Sendable {
  let folder: TemporaryFolder
  let clock = TestClock()
  let database: SQLiteDatabase
  let log: EventLog
  let webhooks: Webhooks
  let endpoint: Program.Running
  private let sequencer: Sequencer
  private let loop: Task<Void, any Error>

  init(allowedHosts: Set<String> = ["127.0.0.1"]) async throws {
    folder = try TemporaryFolder()
    database = try SQLiteDatabase(path: folder.file("events.db"), clock: SystemClock())
    try await database.migrate(Webhooks.migrations)
    log = try await EventLog.open(database, random: SystemRandom())
    sequencer = Sequencer(database: database, log: log, holder: "one", clock: clock)
    let webhooks = Webhooks(
      database: database, clock: clock, random: SystemRandom(), log: log, lease: sequencer.lease,
      sender: WebhookSender(), key: try WebhookKey(path: folder.file("key"), random: SystemRandom()),
      allowedHosts: allowedHosts)
    self.webhooks = webhooks
    try folder.write("secrets", "")
    endpoint = try Program.Running(
      "/usr/bin/python3", ["\(Python.repository)/Tests/Events/webhook_endpoint.py", folder.path])
    loop = Task {
      try await webhooks.run(sleep: { _ in try await Task.sleep(for: .milliseconds(5)) }, onError: { print($0) })
    }
  }

  func stop() async {
    loop.cancel()
    _ = try? await loop.value
    endpoint.signal(SIGKILL)
    _ = try? await endpoint.result()
    database.close()
  }

  /// Where the endpoint listens.
  func url(_ path: String) async throws -> String {
    let isUp = try await eventually(within: .seconds(60)) {
      self.endpoint.output.hasPrefix("port ") && self.endpoint.output.contains("\n")
    }
    try #require(isUp)
    let port = endpoint.output.split(separator: "\n")[0].dropFirst(5)
    return "http://127.0.0.1:\(port)\(path)"
  }

  /// Commits and numbers events of these ids.
  func happen(_ ids: [String], type: String = PartyChanged.fullName) async throws {
    for id in ids {
      let event = OutboxEvent(
        eventID: id, aggregateID: id, aggregateVersion: 1, type: type, effectiveTime: clock.now(),
        recordedTime: clock.now(), actor: "tester", payload: [])
      try await database.commit(Batch(events: [event]), lane: .interactive)
    }
    while try await sequencer.step() != .idle {}
  }

  /// What the endpoint took at a path: ids with the counts of right and of all signatures.
  func taken(_ path: String) -> [String] {
    endpoint.output.split(separator: "\n").filter { $0.hasPrefix("\(path) ") }.map { line in
      let words = line.split(separator: " ")
      return "\(words[1]) \(words[3])/\(words[4])"
    }
  }

  func create(_ path: String, types: [String] = [], fromBeginning: Bool = false) async throws -> Webhook {
    let reply: CreateWebhookResponse = try await call(
      WebhookServiceMethods.createWebhook,
      CreateWebhookRequest(url: try await url(path), types: types, fromBeginning: fromBeginning))
    try trust(reply.secret)
    return try #require(reply.webhook)
  }

  func trust(_ secret: String) throws {
    let known = try String(contentsOfFile: folder.file("secrets"), encoding: .utf8)
    try folder.write("secrets", known + secret + "\n")
  }

  func webhook(_ id: String) async throws -> Webhook {
    let reply: ListWebhooksResponse = try await call(WebhookServiceMethods.listWebhooks, ListWebhooksRequest())
    return try #require(reply.webhooks.first { $0.webhookID == id })
  }

  func call<Request: Message, Response: Message>(
    _ method: MethodDescriptor, _ request: Request
  ) async throws -> Response {
    let router = Router(webhooks.methodBindings)
    let binding = try #require(router.binding(path: method.path))
    let context = ServerContext(
      method: method, metadata: Metadata(), deadline: nil, peer: Peer(address: "in-process", certificate: nil))
    context.caller = Caller(name: "tester", roles: ["administrator"])
    let exchange = Exchange()
    let call = ServerCall(method: method, context: context, transport: exchange)
    call.deliver(try request.serialized())
    call.deliverEnd()
    try await binding.handle(call)
    return try Response(serialized: try #require(exchange.messages.first))
  }
}
