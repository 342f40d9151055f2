import API
import Core
import RPCCore
import Storage
import UseCases

/// Reads and writes partners or products.
struct Catalogue<Content: CatalogueMessage>: Sendable {
  let environment: Environment

  private static var select: String {
    "SELECT id, \(StoredRecord<Content>.columns) FROM \(Content.table)"
  }

  /// The one with this id; NOT_FOUND if there is none.
  func record(_ text: String, field: String) async throws -> StoredRecord<Content> {
    let id = try Core.Identifier<Content.IDKind>.named(text, field)
    guard let record = try await first(" WHERE id = ?", [.id(id)]) else {
      throw RPCError(.notFound, "no \(Content.noun) \(id)")
    }
    return record
  }

  /// The one with this code.
  func record(code: String) async throws -> StoredRecord<Content>? {
    try await first(" WHERE code = ?", [.text(code)])
  }

  /// At most so many in order of creation, behind an id.
  func records(after id: String, limit: Int) async throws -> [StoredRecord<Content>] {
    try await environment.database.query(
      Statement(Self.select + " WHERE id > ? ORDER BY id LIMIT ?", [.text(id), .integer(Int64(limit))]), access: .scan
    ).map { try StoredRecord(row: $0) }
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
      let record = StoredRecord<Content>(environment.identifier(), content, recording)
      var batch = Batch()
      batch.statements = [
        Statement(
          "INSERT INTO \(Content.table) (id, code, version, payload, create_time, update_time) VALUES (?, ?, ?, ?, ?, ?)",
          try [.id(record.id), .text(content.code)] + record.values(),
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
      batch.statements = [try changed.update(of: Content.table, key: "id", from: old)]
      batch.events = [
        try event(changed.message, old.message, changed.version, id: old.id, recording.time, recording)
      ]
      return (batch, changed.message)
    }
  }

  private func first(_ condition: String, _ parameters: [SQLValue]) async throws -> StoredRecord<Content>? {
    try await environment.database.row(Statement(Self.select + condition, parameters)).map { try StoredRecord(row: $0) }
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
      actor: recording.actor, payload: payload, origin: recording.origin)
  }
}
