import API
import Core
import CustomerDomain
import RPCCore
import Storage
import UseCases

/// Takes instalments of a source's policies in bulk: one batch for each request. The rows count one after another, as in
/// `PartyImport`.
struct PremiumImport: Sendable {
  let environment: CustomerEnvironment

  /// Commits the rows that are right and says what became of each.
  func take(_ request: ImportPremiumsRequest, _ context: ServerContext) async throws -> ImportPremiumsResponse {
    try ImportLimits.check(source: request.source, rowCount: request.rows.count)
    let rows = request.rows.map { row in
      ImportRow(row.line) { () throws(InvalidRecord) in try Candidate(row) }
    }
    let keys = Array(Set(rows.compactMap(\.candidate).map(\.policyKey)))
    return try await retryingConflicts {
      let policies = try await PolicyRepository(database: environment.database)
        .policies(source: request.source, keys: keys)
      let stored = try await PremiumRepository(database: environment.database)
        .premiums(policies: policies.values.map(\.policyID.description))
      var fold = PremiumFold(
        environment: environment, recording: environment.recording(context),
        policies: try policies.mapValues {
          PremiumFold.Policy(id: $0.policyID.description, issueDate: try $0.facts().issueDate)
        }, state: ImportState(stored: stored))
      let rejected = try ImportRow.refused(rows) { try fold.take($0) }
      let batch = fold.batch
      if !batch.statements.isEmpty { _ = try await environment.database.commit(batch, lane: .bulk) }
      return ImportPremiumsResponse(
        created: fold.state.created, updated: fold.state.updated, unchanged: fold.state.unchanged, rejected: rejected)
    }
  }

  /// A row that is well formed.
  struct Candidate {
    let policyKey: String
    let facts: PremiumFacts
    let payload: [UInt8]

    init(_ row: ImportPremiumRow) throws(InvalidRecord) {
      guard let premium = row.premium else { throw InvalidRecord([Violation("premium", "is required")]) }
      var faults = ViolationList()
      faults.check(row.policySourceKey, length: 1...SourceReference.maximumKeyLength, "policy_source_key")
      facts = PremiumFacts(premium, faults: &faults)
      facts.validate(into: &faults)
      try faults.throwIfAny()
      policyKey = row.policySourceKey
      payload = try encoded(PremiumInstalment(facts))
    }
  }
}

/// Takes rows of premiums one after another, and knows what must be written for all of them.
struct PremiumFold {
  /// What is asked of a row's policy.
  struct Policy {
    let id: String
    let issueDate: CivilDate
  }

  let environment: CustomerEnvironment
  let recording: Recording
  let policies: [String: Policy]
  var state: ImportState<PremiumRecord, PremiumFacts>

  /// Takes the next row. Throws `InvalidRecord` if it has no policy, or is due before that was issued.
  mutating func take(_ row: PremiumImport.Candidate) throws {
    guard let policy = policies[row.policyKey] else {
      throw InvalidRecord([Violation("policy_source_key", "the source has no policy with this number")])
    }
    try row.facts.checkFollows(issueDate: policy.issueDate)
    var record = PremiumRecord(policyID: policy.id, dueDate: row.facts.dueDate, version: 1, payload: row.payload)
    let key = record.aggregateID
    guard let known = state.record(key) else {
      return state.create(key, record, row.facts, try changed(record))
    }
    guard known.payload != row.payload else { return state.leave() }
    record.version = known.version + 1
    state.change(key, record, row.facts, try changed(record))
  }

  private func changed(_ record: PremiumRecord) throws -> OutboxEvent {
    try environment.event(
      PremiumChanged(premium: try record.message()), about: record.aggregateID, version: record.version, recording)
  }

  /// All that is to be written.
  var batch: Batch {
    var rows = RowBuffer(Self.rows, expect: .unique(orFail: BatchConflict(.alreadyExists, subject: "premium")))
    var updates: [Statement] = []
    for entry in state.entries {
      let record = entry.record
      if let stored = entry.stored {
        updates.append(
          Statement(
            "UPDATE premium SET version = ?, payload = ? WHERE policy_id = ? AND due_date = ? AND version = ?",
            [
              .integer(record.version), .blob(record.payload), .text(record.policyID),
              .text(record.dueDate.description), .integer(stored.version),
            ], expect: .changes(1, orFail: BatchConflict(.versionMismatch, subject: record.aggregateID))))
      } else {
        rows.append(.text(record.policyID))
        rows.append(.text(record.dueDate.description))
        rows.append(.integer(record.version))
        rows.append(.blob(record.payload))
      }
    }
    return Batch(rows.statements + updates, events: state.events)
  }

  private static let rows = RowInsertion(into: "premium", columns: ["policy_id", "due_date", "version", "payload"])
}
