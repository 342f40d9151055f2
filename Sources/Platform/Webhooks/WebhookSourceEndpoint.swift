import API
import Core
import RPCCore
import Storage
import UseCases

extension WebhookInbox {
  /// WebhookSourceService; nothing if the service takes no posts.
  public var methodBindings: [MethodBinding] {
    kinds.isEmpty ? [] : WebhookSourceEndpoint(inbox: self).methodBindings
  }
}

/// mainstay.platform.v1.WebhookSourceService.
struct WebhookSourceEndpoint: WebhookSourceServiceHandler {
  /// Most posts that one call applies or drops.
  static let maximumPosts = 1_000

  let inbox: WebhookInbox

  private var database: any Database { inbox.database }

  func createWebhookSource(
    _ request: CreateWebhookSourceRequest, _ context: ServerContext
  ) async throws -> CreateWebhookSourceResponse {
    let key = try key()
    try check(request)
    var content = request
    content.requestID = ""
    let identity = try RequestIdentity(request.requestID, content: content, context: context)
    // The answer that is kept for a repetition is without the secret, which follows from the key.
    let source: WebhookSource = try await inbox.environment.answer(identity) {
      let count = try await database.row(Statement("SELECT count(*) FROM webhook_source"))?.integer(0) ?? 0
      guard count < WebhookInbox.maximumSources else {
        throw RPCError(.resourceExhausted, "there are \(WebhookInbox.maximumSources) sources already; delete one")
      }
      let same = try await database.row(
        Statement("SELECT source_id FROM webhook_source WHERE name = ?", [.text(request.name)]))
      if let same { throw RPCError(.alreadyExists, "there is a source of this name: \(try same.text(0))") }
      let id: WebhookSourceID = inbox.environment.identifier()
      let record = WebhookSourceRecord(
        id: id.description, name: request.name, kind: request.kind, time: inbox.environment.clock.now())
      return (Batch([record.insertion]), WebhookSource(record, unapplied: 0))
    }
    return CreateWebhookSourceResponse(
      source: source, secret: WebhookSignature.text(key.secret(ofSource: source.sourceID, generation: 1)))
  }

  func listWebhookSources(
    _ request: ListWebhookSourcesRequest, _ context: ServerContext
  ) async throws -> ListWebhookSourcesResponse {
    let records = try await database.query(
      Statement("\(WebhookSourceRecord.select) ORDER BY source_id"), access: .point
    ).map { try WebhookSourceRecord(row: $0) }
    var sources: [WebhookSource] = []
    for record in records { sources.append(try await message(record)) }
    return ListWebhookSourcesResponse(
      sources: sources,
      kinds: inbox.kinds.map { WebhookPostKind(name: $0.name, summary: $0.summary, message: $0.messageName) })
  }

  func deleteWebhookSource(
    _ request: DeleteWebhookSourceRequest, _ context: ServerContext
  ) async throws -> DeleteWebhookSourceResponse {
    let record = try await source(request.sourceID)
    try await database.commit(
      Batch([
        Statement("DELETE FROM webhook_unapplied WHERE source_id = ?", [.text(record.id)]),
        Statement("DELETE FROM webhook_source WHERE source_id = ?", [.text(record.id)]),
      ]), lane: .interactive)
    return DeleteWebhookSourceResponse()
  }

  func rotateWebhookSourceSecret(
    _ request: RotateWebhookSourceSecretRequest, _ context: ServerContext
  ) async throws -> CreateWebhookSourceResponse {
    let key = try key()
    let record = try await source(request.sourceID)
    let end = inbox.environment.clock.now().microsecondsSinceEpoch + WebhookInbox.oldSecretMicroseconds
    try await database.commit(
      Batch([
        Statement(
          "UPDATE webhook_source SET generation = ?, old_secret_end_time = ? WHERE source_id = ? AND generation = ?",
          [.integer(record.generation + 1), .integer(end), .text(record.id), .integer(record.generation)],
          expect: .changes(1, orFail: BatchConflict(.versionMismatch, subject: record.id)))
      ]), lane: .interactive)
    return CreateWebhookSourceResponse(
      source: try await message(try await source(record.id)),
      secret: WebhookSignature.text(key.secret(ofSource: record.id, generation: record.generation + 1)))
  }

  func listUnappliedPosts(
    _ request: ListUnappliedPostsRequest, _ context: ServerContext
  ) async throws -> ListUnappliedPostsResponse {
    let record = try await source(request.sourceID)
    let page = try PageRequest(
      size: request.pageSize, token: request.pageToken, standard: 100, maximum: 1_000,
      query: ["unapplied posts", record.id])
    var after = ""
    if let place = page.place {
      guard place.count == 1, case .text(let id) = place[0] else { throw page.malformed }
      after = id
    }
    let posts = try await database.query(
      Statement(
        "\(UnappliedPostRecord.select) WHERE source_id = ? AND webhook_id > ? ORDER BY webhook_id LIMIT ?",
        [.text(record.id), .text(after), .integer(Int64(page.size) + 1)]), access: .scan
    ).map { try UnappliedPostRecord(row: $0) }
    let (items, hasMore) = page.cut(posts) { $0.body.count + $0.error.utf8.count + 128 }
    return ListUnappliedPostsResponse(
      posts: items.map { UnappliedPost($0) },
      nextPageToken: hasMore ? items.last.map { page.token(after: [.text($0.id)]) } ?? "" : "")
  }

  func applyUnappliedPosts(
    _ request: ApplyUnappliedPostsRequest, _ context: ServerContext
  ) async throws -> ApplyUnappliedPostsResponse {
    let record = try await source(request.sourceID)
    guard request.webhookIDs.count <= Self.maximumPosts else {
      throw RPCError.invalid("webhook_ids", "has more than \(Self.maximumPosts) entries")
    }
    if request.discard, request.webhookIDs.isEmpty {
      throw RPCError.invalid("webhook_ids", "must name what is dropped")
    }
    var reply = ApplyUnappliedPostsResponse()
    for id in try await ids(record, request.webhookIDs) {
      guard let post = try await UnappliedPostRecord.find(record.id, id, in: database) else { continue }
      if request.discard {
        try await database.commit(Batch([post.removal]), lane: .interactive)
        reply.done += 1
        continue
      }
      do {
        _ = try await inbox.answer(record, id: id, body: post.body, context)
        // What it has changed is there; a crash before this applies it once more, which is answered as the first time.
        try await database.commit(Batch([post.removal]), lane: .interactive)
        reply.done += 1
      } catch {
        guard let reason = WebhookInbox.permanent(error) else { throw error }
        try await database.commit(Batch([post.failedAgain(reason)]), lane: .interactive)
        reply.refused += 1
      }
    }
    return reply
  }

  func receiveWebhook(
    _ request: ReceiveWebhookRequest, _ context: ServerContext
  ) async throws -> ReceiveWebhookResponse {
    switch try await inbox.receive(request, context) {
    case .applied(let answer): return ReceiveWebhookResponse(applied: true, answer: answer)
    case .kept: return ReceiveWebhookResponse(applied: false, answer: "")
    }
  }

  /// The posts that are named, or all.
  private func ids(_ record: WebhookSourceRecord, _ named: [String]) async throws -> [String] {
    guard named.isEmpty else { return named }
    return try await database.query(
      Statement(
        "SELECT webhook_id FROM webhook_unapplied WHERE source_id = ? ORDER BY webhook_id LIMIT ?",
        [.text(record.id), .integer(Int64(Self.maximumPosts))]), access: .scan
    ).map { try $0.text(0) }
  }

  private func key() throws -> WebhookKey {
    guard let key = inbox.key else {
      throw RPCError(
        .failedPrecondition,
        "the service has no key for webhooks; name a file as webhooks.key_file in its configuration")
    }
    return key
  }

  private func check(_ request: CreateWebhookSourceRequest) throws {
    var faults = ViolationList()
    let isName = request.name.utf8.allSatisfy { byte in
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        || byte == UInt8(ascii: "-")
    }
    if !isName || !(1...40).contains(request.name.utf8.count) {
      faults.add("name", "must be 1 to 40 lower case letters, digits and -")
    }
    if !inbox.kinds.contains(where: { $0.name == request.kind }) {
      let names = inbox.kinds.map(\.name).joined(separator: ", ")
      faults.add("kind", names.isEmpty ? "this service takes no posts" : "must be one of: \(names)")
    }
    try faults.throwIfAny()
  }

  private func source(_ text: String) async throws -> WebhookSourceRecord {
    let id: WebhookSourceID = try .named(text, "source_id")
    guard let record = try await WebhookSourceRecord.find(id.description, in: database) else {
      throw RPCError(.notFound, "no source of posts \(id)")
    }
    return record
  }

  private func message(_ record: WebhookSourceRecord) async throws -> WebhookSource {
    let count = try await database.row(
      Statement("SELECT count(*) FROM webhook_unapplied WHERE source_id = ?", [.text(record.id)]), access: .scan)
    return WebhookSource(record, unapplied: try count?.integer(0) ?? 0)
  }
}

extension WebhookSource {
  fileprivate init(_ record: WebhookSourceRecord, unapplied: Int64) {
    self.init(
      sourceID: record.id, name: record.name, kind: record.kind, unappliedPosts: unapplied,
      createTime: GoogleTimestamp(record.createTime),
      oldSecretEndTime: record.oldSecretEnd.microsecondsSinceEpoch == 0 ? nil : GoogleTimestamp(record.oldSecretEnd))
  }
}

extension UnappliedPost {
  fileprivate init(_ record: UnappliedPostRecord) {
    self.init(
      sourceID: record.source, webhookID: record.id, body: record.body, error: record.error,
      attempts: Int32(clamping: record.attempts), receiveTime: GoogleTimestamp(record.receiveTime))
  }
}
