import API
import Core
import RPCCore
import Storage
import UseCases

/// A partner or product as it is stored.
struct CatalogueRecord<Content: CatalogueMessage>: Sendable {
  let id: Core.Identifier<Content.IDKind>
  /// 1 at creation, one more with each change; also the version of its newest event.
  let version: Int64
  /// The facts, without id, etag and times.
  let content: Content
  let createTime: Timestamp
  let updateTime: Timestamp
  /// Size of the facts as they were read; 0 before.
  var byteCount = 0

  /// As callers see it.
  var message: Content {
    var message = content
    message.identifier = id.description
    message.etag = Etag.encode(version)
    message.createTime = GoogleTimestamp(createTime)
    message.updateTime = GoogleTimestamp(updateTime)
    return message
  }

  /// The record after a change.
  func changed(to content: Content, _ recording: Recording) -> CatalogueRecord {
    CatalogueRecord(
      id: id, version: version + 1, content: content, createTime: createTime, updateTime: recording.time)
  }
}

/// Reads and writes partners or products.
struct Catalogue<Content: CatalogueMessage>: Sendable {
  let environment: Environment

  private static var select: String {
    "SELECT id, version, payload, create_time, update_time FROM \(Content.table)"
  }

  /// The one with this id; NOT_FOUND if there is none.
  func record(_ text: String, field: String) async throws -> CatalogueRecord<Content> {
    let id = try Core.Identifier<Content.IDKind>.named(text, field)
    guard let record = try await first(" WHERE id = ?", [.id(id)]) else {
      throw RPCError(.notFound, "no \(Content.noun) \(id)")
    }
    return record
  }

  /// The one with this code.
  func record(code: String) async throws -> CatalogueRecord<Content>? {
    try await first(" WHERE code = ?", [.text(code)])
  }

  /// At most so many in order of creation, behind an id.
  func records(after id: String, limit: Int) async throws -> [CatalogueRecord<Content>] {
    try await environment.database.query(
      Statement(Self.select + " WHERE id > ? ORDER BY id LIMIT ?", [.text(id), .integer(Int64(limit))]), access: .scan
    ).map { try Self.record($0) }
  }

  /// Answers a creation; ALREADY_EXISTS if the code is taken.
  func create(
    _ content: Content, effective: CivilDate, identity: RequestIdentity?, validateOnly: Bool, _ context: ServerContext
  ) async throws -> Content {
    try await environment.answer(identity) {
      if let existing = try await record(code: content.code) {
        throw RPCError(.alreadyExists, "code \(content.code) is taken by \(existing.id)")
      }
      if validateOnly { return (Batch(), content) }
      let recording = environment.recording(context)
      let record = CatalogueRecord(
        id: environment.identifier(of: Core.Identifier<Content.IDKind>.self), version: 1, content: content,
        createTime: recording.time, updateTime: recording.time)
      var batch = Batch()
      batch.statements = [
        Statement(
          "INSERT INTO \(Content.table) (id, code, version, payload, create_time, update_time) VALUES (?, ?, ?, ?, ?, ?)",
          [
            .id(record.id), .text(content.code), .integer(1), .blob(try content.serialized()), .time(recording.time),
            .time(recording.time),
          ],
          expect: .unique(orFail: BatchConflict(.alreadyExists, subject: content.code)))
      ]
      let effectiveTime = Timestamp.midnightInShanghai(effective)
      batch.events = [try event(record.message, nil, 1, id: record.id, effectiveTime, recording)]
      return (batch, record.message)
    }
  }

  /// Answers a change; `change` gives the new facts or throws.
  func change(
    _ text: String, field: String, etag: String, identity: RequestIdentity?, _ context: ServerContext,
    _ change: (Content, Recording) throws -> Content
  ) async throws -> Content {
    try await environment.answer(identity) {
      let old = try await record(text, field: field)
      try Etag.check(etag, isCurrent: old.version, of: "\(Content.noun) \(old.id)")
      let recording = environment.recording(context)
      let changed = old.changed(to: try change(old.content, recording), recording)
      var batch = Batch()
      batch.statements = [
        Statement(
          "UPDATE \(Content.table) SET version = ?, payload = ?, update_time = ? WHERE id = ? AND version = ?",
          [
            .integer(changed.version), .blob(try changed.content.serialized()), .time(changed.updateTime), .id(old.id),
            .integer(old.version),
          ],
          expect: .changes(1, orFail: BatchConflict(.versionMismatch, subject: old.id.description)))
      ]
      batch.events = [
        try event(changed.message, old.message, changed.version, id: old.id, recording.time, recording)
      ]
      return (batch, changed.message)
    }
  }

  private func first(_ condition: String, _ parameters: [SQLValue]) async throws -> CatalogueRecord<Content>? {
    try await environment.database.row(Statement(Self.select + condition, parameters)).map { try Self.record($0) }
  }

  private static func record(_ row: Row) throws -> CatalogueRecord<Content> {
    let payload = try row.blob(2)
    return CatalogueRecord(
      id: try row.id(0), version: try row.integer(1), content: try Content(serialized: payload),
      createTime: try row.time(3), updateTime: try row.time(4), byteCount: payload.count)
  }

  private func event(
    _ message: Content, _ previous: Content?, _ version: Int64, id: Core.Identifier<Content.IDKind>,
    _ effective: Timestamp,
    _ recording: Recording
  ) throws -> OutboxEvent {
    let (type, payload) = try message.event(from: previous)
    return OutboxEvent(
      eventID: environment.identifier(of: EventID.self).description, aggregateID: id.description,
      aggregateVersion: version, type: type, effectiveTime: effective, recordedTime: recording.time,
      actor: recording.actor, payload: payload)
  }
}
