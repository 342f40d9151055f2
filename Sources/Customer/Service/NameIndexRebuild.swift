import Core
import CustomerDomain
import Jobs
import Storage
import UseCases

extension JobDefinition {
  /// Writes the name index anew from the parties' facts, in the order of their ids: after the rule by which names are cut into
  /// terms has changed, or when the index was damaged. Searches and changes go on meanwhile. The checkpoint is the last party's id.
  static func nameIndex(_ environment: CustomerEnvironment) -> JobDefinition {
    JobDefinition("rebuild-name-index", summary: "Writes the index of customers' names anew.") { run in
      let index = NameIndexRebuild(environment: environment)
      if run.checkpoint.isEmpty {
        try await run.save(checkpoint: [], progress: JobProgress(total: try await index.count(), unit: "parties"))
      }
      while try await index.step(run) {}
      return nil
    }
  }
}

private struct NameIndexRebuild {
  /// Parties of one batch.
  static let parties: Int64 = 500

  let environment: CustomerEnvironment

  func count() async throws -> Int64 {
    try await environment.database.row(Statement("SELECT count(*) FROM party"), access: .scan)?.integer(0) ?? 0
  }

  /// Writes the names of the next parties; false if there are no more.
  func step(_ run: JobRun) async throws -> Bool {
    try await retryingConflicts {
      let records = try await PartyRepository(database: environment.database).parties(
        after: String(decoding: run.checkpoint, as: UTF8.self), limit: Self.parties)
      guard let last = records.last else { return false }
      var names = NameRows()
      var statements: [Statement] = []
      for record in records {
        names.delete(record.nameRow)
        names.insert(record.nameRow, record.partyID, try record.facts().subject)
        statements.append(record.unchanged)
      }
      var progress = run.progress
      progress.done += Int64(records.count)
      try await run.save(
        Batch(statements + names.statements), checkpoint: Array(last.partyID.description.utf8), progress: progress)
      return true
    }
  }
}

extension PartyRecord {
  /// Changes nothing, and fails if another has changed the party since it was read: its name may be another.
  fileprivate var unchanged: Statement {
    Statement(
      "UPDATE party SET name_row = ? WHERE party_id = ? AND version = ?",
      [.integer(nameRow), .id(partyID), .integer(version)],
      expect: .changes(1, orFail: BatchConflict(.versionMismatch, subject: partyID.description)))
  }
}
