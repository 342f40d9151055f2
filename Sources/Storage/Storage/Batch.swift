import Core

/// One atomic write: rows, events, leaves of the audit log and the idempotency row are committed together or not at all.
///
/// Everything is known before it starts; nothing is awaited inside. What was read to build it is guarded by
/// preconditions (`Statement.Expectation`): on a conflict the caller reads again and decides anew.
///
/// A new kind of row that goes with every write is one more property here and one more line in `allStatements`.
public struct Batch: Sendable {
  /// Most statements of one batch, its own and those it stands for; more is refused with `StorageError.batchTooLarge`.
  public static let maximumStatements = 65_536

  /// The rows, in this order.
  public var statements: [Statement]
  /// What happened, for the outbox.
  public var events: [OutboxEvent]
  /// Leaves of the audit log beside those of the events: changes that no event tells of, looks at sensitive data.
  public var audit: [AuditLeaf] = []
  /// The answer to remember for a repeated request.
  public var idempotency: IdempotencyRecord?

  /// A batch.
  public init(_ statements: [Statement] = [], events: [OutboxEvent] = [], idempotency: IdempotencyRecord? = nil) {
    self.statements = statements
    self.events = events
    self.idempotency = idempotency
  }

  /// All that a driver runs, in order. The idempotency row goes first: of two equal requests at the same time the
  /// second must fail because it is a repetition, not because of what the first one has changed.
  public var allStatements: [Statement] {
    var all: [Statement] = []
    all.reserveCapacity(
      statements.count + events.count + 1 + AuditOutbox.maximumStatements(rows: events.count + audit.count))
    if let idempotency { all.append(idempotency.insertion) }
    all.append(contentsOf: statements)
    for event in events { all.append(event.insertion) }
    all.append(contentsOf: AuditOutbox.insertions(events: events, leaves: audit))
    return all
  }

  /// Where `statements` begin in `allStatements`.
  public var firstStatement: Int { idempotency == nil ? 0 : 1 }
}

/// What a committed batch has done.
public struct BatchReceipt: Hashable, Sendable {
  /// Rows that each of the batch's `statements` inserted, updated or deleted, in their order.
  public let changes: [Int]

  /// A receipt.
  public init(changes: [Int]) { self.changes = changes }
}

/// A precondition that did not hold; nothing of the batch was written.
public struct BatchConflict: Error, Hashable, Sendable {
  /// What kind of precondition.
  public enum Kind: Sendable {
    /// The row that was to be created is there.
    case alreadyExists
    /// The row was changed since it was read.
    case versionMismatch
    /// The row is not there.
    case notFound
    /// The row is in another state than the change needs.
    case preconditionFailed
    /// The same request was committed before: its first answer stands.
    case repeatedRequest
  }

  /// What kind of precondition.
  public let kind: Kind
  /// What it is about, in the caller's words: an id, a name of a rule. No personal data.
  public let subject: String

  /// A conflict.
  public init(_ kind: Kind, subject: String) {
    self.kind = kind
    self.subject = subject
  }
}
