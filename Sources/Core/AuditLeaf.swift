/// One entry of an audit log: who did what to what, when, and how the facts hashed. Its bytes are what the log's tree is made of, so
/// they must never be read or written in another way: a new form gets a new format number.
///
/// The bytes: the format (1), the kind, then the fields in their order. A text is its length in four bytes, then UTF-8; a number has
/// eight bytes; the hash is a text of 0 or 32 bytes. Numbers and lengths have the most significant byte first.
public struct AuditLeaf: Hashable, Sendable {
  /// What an entry tells of. The numbers stand in stored leaves.
  public enum Kind: UInt8, Sendable, CaseIterable {
    /// The log begins here. What was there before is in no leaf.
    case beginning = 1
    /// A change, told by the event with the same id.
    case event = 2
    /// A change that no event tells of.
    case change = 3
    /// Somebody was shown sensitive data.
    case disclosure = 4
    /// Bodies of old leaves were dropped; their hashes stay.
    case retention = 5
    /// The database was put back to an older state: what the log held beyond is gone.
    case restoration = 6
  }

  /// A stored leaf that is none.
  public struct Malformed: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong with it.
    public let description: String
  }

  /// Most bytes of an encoded leaf that is read.
  public static let maximumBytes = 65_536
  private static let format: UInt8 = 1

  /// What it tells of.
  public var kind: Kind
  /// Unique for ever: that of the event, or aud_….
  public var entryID: String
  /// What it happened to; for a look at data, whose data.
  public var aggregateID: String
  /// The aggregate's version after the change; 0 if it has none.
  public var aggregateVersion: Int64
  /// Full name of the event's message, or of what was seen or changed.
  public var type: String
  /// Who did it.
  public var actor: String
  /// The service that passed the call on; empty if it came from the actor itself.
  public var callingService: String
  /// Path of the method that was called; empty if no call was the cause.
  public var method: String
  /// When it is true from, in the business's time.
  public var effectiveTime: Timestamp
  /// When the service recorded it.
  public var recordedTime: Timestamp
  /// SHA-256 of the event's payload; empty where there is none.
  public var payloadHash: [UInt8]
  /// What else is to be known, in a few words, without sensitive facts: a purpose, a number.
  public var detail: String

  /// An entry.
  public init(
    kind: Kind, entryID: String, aggregateID: String, aggregateVersion: Int64 = 0, type: String, actor: String,
    callingService: String = "", method: String = "", effectiveTime: Timestamp, recordedTime: Timestamp,
    payloadHash: [UInt8] = [], detail: String = ""
  ) {
    (self.kind, self.entryID, self.aggregateID) = (kind, entryID, aggregateID)
    (self.aggregateVersion, self.type, self.actor) = (aggregateVersion, type, actor)
    (self.callingService, self.method) = (callingService, method)
    (self.effectiveTime, self.recordedTime) = (effectiveTime, recordedTime)
    (self.payloadHash, self.detail) = (payloadHash, detail)
  }

  /// The bytes of the leaf.
  public var encoded: [UInt8] {
    var bytes: [UInt8] = [AuditLeaf.format, kind.rawValue]
    bytes.reserveCapacity(320)
    for text in [entryID, aggregateID] { AuditLeaf.append(text.utf8, to: &bytes) }
    AuditLeaf.append(aggregateVersion, to: &bytes)
    for text in [type, actor, callingService, method] { AuditLeaf.append(text.utf8, to: &bytes) }
    AuditLeaf.append(effectiveTime.microsecondsSinceEpoch, to: &bytes)
    AuditLeaf.append(recordedTime.microsecondsSinceEpoch, to: &bytes)
    AuditLeaf.append(payloadHash, to: &bytes)
    AuditLeaf.append(detail.utf8, to: &bytes)
    return bytes
  }

  /// Reads what `encoded` has written; nothing else passes.
  public init(encoded bytes: [UInt8]) throws(Malformed) {
    guard bytes.count <= AuditLeaf.maximumBytes else { throw Malformed(description: "it is too long") }
    var reader = Reader(bytes: bytes)
    guard try reader.byte() == AuditLeaf.format else { throw Malformed(description: "its format is not known") }
    guard let kind = Kind(rawValue: try reader.byte()) else { throw Malformed(description: "its kind is not known") }
    self.kind = kind
    entryID = try reader.text()
    aggregateID = try reader.text()
    aggregateVersion = try reader.number()
    type = try reader.text()
    actor = try reader.text()
    callingService = try reader.text()
    method = try reader.text()
    effectiveTime = try reader.time()
    recordedTime = try reader.time()
    payloadHash = try reader.bytes()
    detail = try reader.text()
    guard payloadHash.isEmpty || payloadHash.count == 32 else { throw Malformed(description: "its hash is none") }
    guard reader.isAtEnd else { throw Malformed(description: "more follows its end") }
  }

  private static func append(_ number: Int64, to bytes: inout [UInt8]) {
    withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) }
  }

  private static func append(_ text: some Collection<UInt8>, to bytes: inout [UInt8]) {
    withUnsafeBytes(of: UInt32(truncatingIfNeeded: text.count).bigEndian) { bytes.append(contentsOf: $0) }
    bytes.append(contentsOf: text)
  }

  private struct Reader {
    private var rest: ArraySlice<UInt8>

    init(bytes: [UInt8]) { rest = bytes[...] }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func byte() throws(Malformed) -> UInt8 { try take(1).first ?? 0 }

    mutating func number() throws(Malformed) -> Int64 {
      Int64(bitPattern: try take(8).reduce(0) { $0 << 8 | UInt64($1) })
    }

    mutating func time() throws(Malformed) -> Timestamp {
      let microseconds = try number()
      guard Timestamp.writable.contains(microseconds) else { throw Malformed(description: "a time is none") }
      return Timestamp(microsecondsSinceEpoch: microseconds)
    }

    mutating func bytes() throws(Malformed) -> [UInt8] {
      let count = try take(4).reduce(0) { $0 << 8 | Int($1) }
      return Array(try take(count))
    }

    mutating func text() throws(Malformed) -> String {
      guard let text = String(validating: try bytes(), as: UTF8.self) else {
        throw Malformed(description: "a text is not UTF-8")
      }
      return text
    }

    private mutating func take(_ count: Int) throws(Malformed) -> ArraySlice<UInt8> {
      guard count <= rest.count else { throw Malformed(description: "it is cut off") }
      defer { rest = rest.dropFirst(count) }
      return rest.prefix(count)
    }
  }
}
