import API
import Core
import CustomerDomain
import RPCCore
import Storage
import UseCases

/// Takes policies of a source in bulk: one batch for each request. The rows count one after another, as in `PartyImport`. A
/// policyholder who is not known becomes a party of which only the key is known.
struct PolicyImport: Sendable {
  let environment: CustomerEnvironment

  /// Commits the rows that are right and says what became of each.
  func take(_ request: ImportPoliciesRequest, _ context: ServerContext) async throws -> ImportPoliciesResponse {
    try ImportLimits.check(source: request.source, rowCount: request.rows.count)
    let source = request.source
    let rows = request.rows.map { row in
      ImportRow(row.line) { () throws(InvalidRecord) in try Candidate(row, source: source) }
    }
    let candidates = rows.compactMap(\.candidate)
    return try await retryingConflicts {
      let stored = try await PolicyRepository(database: environment.database)
        .policies(source: source, keys: candidates.map(\.facts.reference.key))
      let holders = try await PartyRepository(database: environment.database)
        .parties(source: source, keys: Array(Set(candidates.map(\.facts.policyholder.key))))
      let recording = environment.recording(context)
      var fold = PolicyFold(
        environment: environment, recording: recording, stored: stored, holders: holders)
      fold.reserve(candidates.count)
      let rejected = try ImportRow.refused(rows) { try fold.take($0.facts, payload: $0.payload) }
      var batch = Batch()
      fold.append(to: &batch)
      if !batch.statements.isEmpty { _ = try await environment.database.commit(batch, lane: .bulk) }
      return ImportPoliciesResponse(
        created: fold.state.created, updated: fold.state.updated, unchanged: fold.state.unchanged, rejected: rejected)
    }
  }

  private struct Candidate {
    let facts: PolicyFacts
    let payload: [UInt8]

    init(_ row: ImportPolicyRow, source: String) throws(InvalidRecord) {
      guard let policy = row.policy else { throw InvalidRecord([Violation("policy", "is required")]) }
      var faults = ViolationList()
      facts = PolicyFacts(policy, source: source, faults: &faults)
      facts.validate(into: &faults)
      try faults.throwIfAny()
      payload = try encoded(Policy(facts))
    }
  }
}
