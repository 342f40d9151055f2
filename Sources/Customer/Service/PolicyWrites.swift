import API
import Core
import CustomerDomain
import Storage
import UseCases

/// Policies that are created and changed together: their rows and events, as parts of one batch.
struct PolicyWrites {
  private var policies = RowBuffer(
    rows, expect: .unique(orFail: BatchConflict(.alreadyExists, subject: "policy")))
  private var updates: [Statement] = []
  private var events: [OutboxEvent] = []

  private static let rows = RowInsertion(
    into: "policy",
    columns: ["party_id", "policy_id", "source", "source_key", "version", "payload", "create_time", "update_time"])

  /// Takes in a policy that was not there.
  mutating func create(_ record: PolicyRecord, _ reference: SourceReference) {
    policies.append(.id(record.partyID))
    policies.append(.id(record.policyID))
    policies.append(.text(reference.source))
    policies.append(.text(reference.key))
    policies.append(.integer(record.version))
    policies.append(.blob(record.payload))
    policies.append(.time(record.createTime))
    policies.append(.time(record.updateTime))
  }

  /// Takes in the new state of a policy that was read in an older one.
  mutating func update(_ record: PolicyRecord, from old: PolicyRecord) {
    updates.append(
      Statement(
        """
        UPDATE policy SET party_id = ?, version = ?, payload = ?, update_time = ?
        WHERE party_id = ? AND policy_id = ? AND version = ?
        """,
        [
          .id(record.partyID), .integer(record.version), .blob(record.payload), .time(record.updateTime),
          .id(old.partyID), .id(record.policyID), .integer(old.version),
        ],
        expect: .changes(1, orFail: BatchConflict(.versionMismatch, subject: record.policyID.description))))
  }

  /// Takes in what happened.
  mutating func add(_ event: OutboxEvent) { events.append(event) }

  /// Adds everything to a batch, behind the policyholders' rows.
  func append(to batch: inout Batch) {
    batch.statements += policies.statements
    batch.statements += updates
    batch.events += events
  }
}

extension CustomerEnvironment {
  /// The event that a policy was created or changed, true from a day on, or from the moment of recording.
  func policyChanged(
    _ record: PolicyRecord, previous: CustomerDomain.PolicyState?, effective: CivilDate?, reason: String = "",
    _ recording: Recording, id: EventID? = nil
  ) throws -> OutboxEvent {
    var policy = try record.message()
    // What a source sends beside the contract may be personal.
    policy.attributes = []
    let payload = PolicyChanged(
      policy: policy, previousState: previous.map { API.PolicyState($0) } ?? .unspecified, reason: reason)
    return try event(
      payload, about: record.policyID.description, version: record.version,
      effective: effective.map { Timestamp.midnightInShanghai($0) }, recording, id: id)
  }
}

extension PolicyRecord {
  /// The record of a policy that is to be created.
  static func created(_ policyID: PolicyID, holder: PartyID, payload: [UInt8], _ recording: Recording) -> PolicyRecord {
    PolicyRecord(
      policyID: policyID, partyID: holder, version: 1, payload: payload, createTime: recording.time,
      updateTime: recording.time)
  }

  /// The record after a change.
  func changed(holder: PartyID, payload: [UInt8], _ recording: Recording) -> PolicyRecord {
    var record = self
    record.partyID = holder
    record.version += 1
    record.payload = payload
    record.updateTime = recording.time
    return record
  }
}
