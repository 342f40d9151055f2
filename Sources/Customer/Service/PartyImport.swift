import API
import Core
import CustomerDomain
import RPCCore
import Storage
import UseCases

/// Takes parties of a source in bulk: one batch for each request. The rows count one after another, as if each were a request of
/// its own: a key that stands twice is created by its first row and changed by its second.
struct PartyImport: Sendable {
  let environment: CustomerEnvironment

  /// Commits the rows that are right and says what became of each.
  func take(_ request: ImportPartiesRequest, _ context: ServerContext) async throws -> ImportPartiesResponse {
    try ImportLimits.check(source: request.source, rowCount: request.rows.count)
    let rows = request.rows.map { row in
      ImportRow(row.line) { () throws(InvalidRecord) in try Candidate(row, source: request.source) }
    }
    let keys = rows.compactMap { $0.candidate?.facts.reference.key }
    return try await retryingConflicts {
      let stored = try await PartyRepository(database: environment.database).parties(source: request.source, keys: keys)
      var fold = PartyFold(environment: environment, recording: environment.recording(context), stored: stored)
      fold.reserve(keys.count)
      let rejected = try ImportRow.refused(rows) { try fold.take($0.facts, payload: $0.payload) }
      var batch = Batch()
      fold.append(to: &batch)
      if !batch.statements.isEmpty { _ = try await environment.database.commit(batch, lane: .bulk) }
      return ImportPartiesResponse(
        created: fold.state.created, updated: fold.state.updated, unchanged: fold.state.unchanged, rejected: rejected)
    }
  }

  private struct Candidate {
    let facts: PartyFacts
    let payload: [UInt8]

    init(_ row: ImportPartyRow, source: String) throws(InvalidRecord) {
      guard let party = row.party else { throw InvalidRecord([Violation("party", "is required")]) }
      var faults = ViolationList()
      facts = PartyFacts(party, source: source, faults: &faults)
      facts.validate(into: &faults)
      try faults.throwIfAny()
      payload = try encoded(Party(facts))
    }
  }
}
