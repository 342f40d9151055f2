import API
import Core
import RPCCore
import Storage
import UseCases

/// A webhook.
enum WebhookIDKind: IdentifierKind {
  /// "whk"
  static var prefix: String { "whk" }
}

/// Id of a webhook, whk_….
typealias WebhookID = Core.Identifier<WebhookIDKind>

extension Webhooks {
  /// WebhookService.
  public var methodBindings: [MethodBinding] { WebhookEndpoint(webhooks: self).methodBindings }
}

/// mainstay.platform.v1.WebhookService.
struct WebhookEndpoint: WebhookServiceHandler {
  /// Most types that a webhook may name.
  static let maximumTypes = 64

  let webhooks: Webhooks

  private var database: any Database { webhooks.database }

  func createWebhook(_ request: CreateWebhookRequest, _ context: ServerContext) async throws -> CreateWebhookResponse {
    let key = try key()
    try check(request)
    var content = request
    content.requestID = ""
    let identity = try RequestIdentity(request.requestID, content: content, context: context)
    let environment = Environment(database: database, clock: webhooks.clock, random: webhooks.random)
    // The answer that is kept for a repetition is without the secret, which follows from the key.
    let position = request.fromBeginning ? 0 : try await webhooks.log.state().lastPosition
    let webhook: Webhook = try await environment.answer(identity) {
      let count = try await database.row(Statement("SELECT count(*) FROM webhook"))?.integer(0) ?? 0
      guard count < Webhooks.maximumWebhooks else {
        throw RPCError(.resourceExhausted, "there are \(Webhooks.maximumWebhooks) webhooks already; delete one")
      }
      let id: WebhookID = environment.identifier()
      let record = WebhookRecord(
        id: id.description, url: request.url, types: request.types, position: position, time: webhooks.clock.now())
      return (Batch([record.insertion]), Webhook(record, deadLetters: 0))
    }
    return CreateWebhookResponse(
      webhook: webhook, secret: WebhookSignature.text(key.secret(of: webhook.webhookID, generation: 1)))
  }

  func listWebhooks(_ request: ListWebhooksRequest, _ context: ServerContext) async throws -> ListWebhooksResponse {
    let records = try await database.query(
      Statement("\(WebhookRecord.select) ORDER BY webhook_id"), access: .point
    ).map { try WebhookRecord(row: $0) }
    var listed: [Webhook] = []
    for record in records { listed.append(try await message(record)) }
    return ListWebhooksResponse(webhooks: listed)
  }

  func deleteWebhook(_ request: DeleteWebhookRequest, _ context: ServerContext) async throws -> DeleteWebhookResponse {
    let record = try await webhook(request.webhookID)
    try await database.commit(
      Batch([
        Statement("DELETE FROM webhook_dead_letter WHERE webhook_id = ?", [.text(record.id)]),
        Statement("DELETE FROM webhook WHERE webhook_id = ?", [.text(record.id)]),
      ]), lane: .interactive)
    return DeleteWebhookResponse()
  }

  func pauseWebhook(_ request: PauseWebhookRequest, _ context: ServerContext) async throws -> Webhook {
    try await set(request.webhookID, "state = 2")
  }

  func resumeWebhook(_ request: ResumeWebhookRequest, _ context: ServerContext) async throws -> Webhook {
    try await set(request.webhookID, "state = 1, next_time = 0")
  }

  func rotateWebhookSecret(
    _ request: RotateWebhookSecretRequest, _ context: ServerContext
  ) async throws -> CreateWebhookResponse {
    let key = try key()
    let record = try await webhook(request.webhookID)
    let end = webhooks.clock.now().microsecondsSinceEpoch + Webhooks.oldSecretMicroseconds
    try await database.commit(
      Batch([
        Statement(
          "UPDATE webhook SET generation = ?, old_secret_end_time = ? WHERE webhook_id = ? AND generation = ?",
          [.integer(record.generation + 1), .integer(end), .text(record.id), .integer(record.generation)],
          expect: .changes(1, orFail: BatchConflict(.versionMismatch, subject: record.id)))
      ]), lane: .interactive)
    return CreateWebhookResponse(
      webhook: try await message(try await webhook(record.id)),
      secret: WebhookSignature.text(key.secret(of: record.id, generation: record.generation + 1)))
  }

  func listDeadLetters(
    _ request: ListDeadLettersRequest, _ context: ServerContext
  ) async throws -> ListDeadLettersResponse {
    let record = try await webhook(request.webhookID)
    let page = try PageRequest(
      size: request.pageSize, token: request.pageToken, standard: 100, maximum: 1_000,
      query: ["dead letters", record.id])
    var after: Int64 = 0
    if let place = page.place {
      guard place.count == 1, case .integer(let position) = place[0] else { throw page.malformed }
      after = position
    }
    let letters = try await database.query(
      Statement(
        "\(DeadLetterRecord.select) WHERE webhook_id = ? AND position > ? ORDER BY position LIMIT ?",
        [.text(record.id), .integer(after), .integer(Int64(page.size) + 1)]), access: .scan
    ).map { try DeadLetterRecord(row: $0) }
    let (items, hasMore) = page.cut(letters) { $0.event.count + 256 }
    return ListDeadLettersResponse(
      deadLetters: try items.map { try DeadLetter($0) },
      nextPageToken: hasMore ? items.last.map { page.token(after: [.integer($0.position)]) } ?? "" : "")
  }

  func replayDeadLetters(
    _ request: ReplayDeadLettersRequest, _ context: ServerContext
  ) async throws -> ReplayDeadLettersResponse {
    let record = try await webhook(request.webhookID)
    guard request.eventIDs.count <= 1_000 else {
      throw RPCError.invalid("event_ids", "has more than 1000 entries; leave it empty to send all again")
    }
    let list = try Statement.list(request.eventIDs.map(SQLValue.text))
    let condition = request.eventIDs.isEmpty ? "" : " AND event_id IN (\(list.sql))"
    let receipt = try await database.commit(
      Batch([
        Statement(
          "UPDATE webhook_dead_letter SET replaying = 1 WHERE webhook_id = ?\(condition)",
          [.text(record.id)] + (request.eventIDs.isEmpty ? [] : list.parameters))
      ]), lane: .interactive)
    return ReplayDeadLettersResponse(replayed: Int64(receipt.changes.first ?? 0))
  }

  private func key() throws -> WebhookKey {
    guard let key = webhooks.key else {
      throw RPCError(
        .failedPrecondition,
        "the service has no key for webhooks; name a file as webhooks.key_file in its configuration")
    }
    return key
  }

  private func check(_ request: CreateWebhookRequest) throws {
    var faults = ViolationList()
    if let url = WebhookURL(request.url) {
      if !url.isSecure, !webhooks.allowedHosts.contains(url.host) {
        faults.add("url", "must begin with https://; plain http only for hosts of webhooks.allowed_hosts")
      }
    } else {
      faults.add(
        "url", "must be an https:// URL of at most \(WebhookURL.maximumLength) characters, without user or fragment")
    }
    let isTypes = request.types.allSatisfy { (1...200).contains($0.utf8.count) && !$0.contains(" ") }
    if request.types.count > Self.maximumTypes || !isTypes {
      faults.add("types", "must be at most \(Self.maximumTypes) full names of messages")
    }
    try faults.throwIfAny()
  }

  private func webhook(_ text: String) async throws -> WebhookRecord {
    let id: WebhookID = try .named(text, "webhook_id")
    let row = try await database.row(
      Statement("\(WebhookRecord.select) WHERE webhook_id = ?", [.text(id.description)]))
    guard let row else { throw RPCError(.notFound, "no webhook \(id)") }
    return try WebhookRecord(row: row)
  }

  private func set(_ text: String, _ assignments: String) async throws -> Webhook {
    let record = try await webhook(text)
    try await database.commit(
      Batch([Statement("UPDATE webhook SET \(assignments) WHERE webhook_id = ?", [.text(record.id)])]),
      lane: .interactive)
    return try await message(try await webhook(record.id))
  }

  private func message(_ record: WebhookRecord) async throws -> Webhook {
    let count = try await database.row(
      Statement("SELECT count(*) FROM webhook_dead_letter WHERE webhook_id = ?", [.text(record.id)]), access: .scan)
    return Webhook(record, deadLetters: try count?.integer(0) ?? 0)
  }
}

extension Webhook {
  fileprivate init(_ record: WebhookRecord, deadLetters: Int64) {
    self.init(
      webhookID: record.id, url: record.url, types: record.types.sorted(),
      state: record.state == .active ? .active : .paused, position: record.position,
      failures: Int32(clamping: record.failures), lastError: record.lastError, deadLetters: deadLetters,
      createTime: GoogleTimestamp(record.createTime),
      nextAttemptTime: record.nextTime.microsecondsSinceEpoch == 0 ? nil : GoogleTimestamp(record.nextTime),
      oldSecretEndTime: record.oldSecretEnd.microsecondsSinceEpoch == 0 ? nil : GoogleTimestamp(record.oldSecretEnd))
  }
}

extension DeadLetter {
  fileprivate init(_ record: DeadLetterRecord) throws {
    self.init(
      webhookID: record.webhook, position: record.position, event: try Event(serialized: record.event),
      attempts: Int32(clamping: record.attempts), error: record.error, time: GoogleTimestamp(record.time),
      replaying: record.isReplaying)
  }
}
