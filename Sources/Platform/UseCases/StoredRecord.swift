import API
import Core
import Protobuf
import Storage

/// A message that is kept as its facts alone; what the service adds stands in columns beside.
public protocol RecordMessage: Message {
  /// What its id names.
  associatedtype IDKind: IdentifierKind
  /// Its id as text; empty in what is stored.
  var identifier: String { get set }
  /// Its version as callers see it; empty in what is stored.
  var etag: String { get set }
  /// When it was created; nil in what is stored.
  var createTime: GoogleTimestamp? { get set }
  /// When it was changed last; nil in what is stored.
  var updateTime: GoogleTimestamp? { get set }
}

/// A record of a service as it is stored: a row with an id first, further columns of its table, and those of `columns`.
public struct StoredRecord<Content: RecordMessage>: Sendable {
  /// Its id, which never changes.
  public let id: Core.Identifier<Content.IDKind>
  /// 1 at creation, one more with each change; also the version of its newest event.
  public private(set) var version: Int64
  /// The facts, without id, etag and times.
  public private(set) var content: Content
  /// When it was created.
  public let createTime: Timestamp
  /// When it was changed last.
  public private(set) var updateTime: Timestamp
  /// Size of the facts as they were read; 0 before.
  public private(set) var byteCount = 0

  /// The columns behind the id's.
  public static var columns: String { "version, payload, create_time, update_time" }

  /// The record in a row's first columns: the id, and `columns`.
  public init(row: Row) throws {
    let payload = try row.blob(2)
    id = try row.id(0)
    version = try row.integer(1)
    content = try Content(serialized: payload)
    createTime = try row.time(3)
    updateTime = try row.time(4)
    byteCount = payload.count
  }

  /// A record that is to be created.
  public init(_ id: Core.Identifier<Content.IDKind>, _ content: Content, _ recording: Recording) {
    self.id = id
    self.content = content
    version = 1
    createTime = recording.time
    updateTime = recording.time
  }

  /// The record after a change.
  public func changed(to content: Content, _ recording: Recording) -> StoredRecord {
    var record = self
    record.version += 1
    record.content = content
    record.updateTime = recording.time
    return record
  }

  /// As callers see it.
  public var message: Content {
    var message = content
    message.identifier = id.description
    message.etag = Etag.encode(version)
    message.createTime = GoogleTimestamp(createTime)
    message.updateTime = GoogleTimestamp(updateTime)
    return message
  }

  /// What its row ends with: the values of `columns`.
  public func values() throws -> [SQLValue] {
    [.integer(version), .blob(try content.serialized()), .time(createTime), .time(updateTime)]
  }

  /// Writes it over the record that was read; ABORTED if that has changed since. Other columns of the table stay.
  public func update(of table: String, key: String, from old: StoredRecord) throws -> Statement {
    Statement(
      "UPDATE \(table) SET version = ?, payload = ?, update_time = ? WHERE \(key) = ? AND version = ?",
      [.integer(version), .blob(try content.serialized()), .time(updateTime), .id(id), .integer(old.version)],
      expect: .changes(1, orFail: BatchConflict(.versionMismatch, subject: id.description)))
  }
}
