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
    let rows = try rows(request)
    return try await retryingConflicts {
      let (batch, reply) = try await decide(rows, of: request.source, context)
      if !batch.statements.isEmpty { _ = try await environment.database.commit(batch, lane: .bulk) }
      return reply
    }
  }

  /// The same once for each request id, and only if no row is refused: else INVALID_ARGUMENT with each that is.
  func take(
    all request: ImportPartiesRequest, once requestID: String, _ context: ServerContext
  ) async throws -> ImportPartiesResponse {
    let rows = try rows(request)
    let identity = try RequestIdentity(requestID, content: request, context: context)
    return try await environment.answer(identity) {
      let (batch, reply) = try await decide(rows, of: request.source, context)
      guard reply.rejected.isEmpty else {
        throw RPCError.badRequest(reply.rejected.map { FieldViolation("rows[line \($0.line)]", $0.reason) })
      }
      return (batch, reply)
    }
  }

  private func rows(_ request: ImportPartiesRequest) throws -> [ImportRow<Candidate>] {
    try ImportLimits.check(source: request.source, rowCount: request.rows.count)
    return request.rows.map { row in
      ImportRow(row.line) { () throws(InvalidRecord) in try Candidate(row, source: request.source) }
    }
  }

  /// What the rows that are right change, and what became of each.
  private func decide(
    _ rows: [ImportRow<Candidate>], of source: String, _ context: ServerContext
  ) async throws -> (batch: Batch, reply: ImportPartiesResponse) {
    let keys = rows.compactMap { $0.candidate?.facts.reference.key }
    let stored = try await PartyRepository(database: environment.database).parties(source: source, keys: keys)
    var fold = PartyFold(environment: environment, recording: environment.recording(context), stored: stored)
    fold.reserve(keys.count)
    let rejected = try ImportRow.refused(rows) { try fold.take($0.facts, payload: $0.payload) }
    var batch = Batch()
    fold.append(to: &batch)
    return (
      batch,
      ImportPartiesResponse(
        created: fold.state.created, updated: fold.state.updated, unchanged: fold.state.unchanged, rejected: rejected)
    )
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
