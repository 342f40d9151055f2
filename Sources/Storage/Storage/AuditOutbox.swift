import Core

/// Which call a change came with, for the audit log.
public struct ChangeOrigin: Hashable, Sendable {
  /// Path of the method that was called; empty if no call was the cause.
  public var method: String
  /// The service that passed the call on; empty if it came from the actor itself.
  public var callingService: String

  /// The origin of a change.
  public init(method: String = "", callingService: String = "") {
    self.method = method
    self.callingService = callingService
  }
}

/// How leaves of the audit log are committed: without a place, one row for each event of a batch and for each leaf of its own. A
/// row of an event holds only what the event's row does not; the leaf is made from both when it gets its place.
enum AuditOutbox {
  private static let rows = RowInsertion(
    into: "audit_pending",
    columns: ["entry_id", "aggregate_id", "aggregate_version", "method", "calling_service", "body"])

  /// The rows for a batch.
  static func insertions(events: [OutboxEvent], leaves: [AuditLeaf]) -> [Statement] {
    if events.isEmpty, leaves.isEmpty { return [] }
    var rows = RowBuffer(rows, expect: .any)
    for event in events {
      rows.append(.text(event.eventID))
      rows.append(.text(event.aggregateID))
      rows.append(.integer(event.aggregateVersion))
      rows.append(.text(event.origin.method))
      rows.append(.text(event.origin.callingService))
      rows.append(.null)
    }
    for leaf in leaves {
      rows.append(.text(leaf.entryID))
      rows.append(.text(leaf.aggregateID))
      rows.append(.integer(leaf.aggregateVersion))
      rows.append(.text(leaf.method))
      rows.append(.text(leaf.callingService))
      rows.append(.blob(leaf.encoded))
    }
    return rows.statements
  }

  /// Most statements that so many rows take: all full ones, and one for each power of two in the rest.
  static func maximumStatements(rows: Int) -> Int { rows / RowInsertion.maximumRows + 6 }
}
