import Jobs
import Storage

/// Removes the facts of generations that no report reads any more: after each rebuild, and what a process that was killed has left.
/// Beside the followers, so that the figures stay fresh meanwhile.
struct OldFacts: Sendable {
  static let kind = "remove-old-facts"
  /// Rows that one batch removes at most.
  static let removedRows: Int64 = 5_000

  let database: any Database

  var definition: JobDefinition {
    JobDefinition(
      Self.kind, summary: "Removes facts that were built anew since.", interval: .seconds(24 * 3_600)
    ) { run in
      for service in FollowedService.allCases {
        for table in service.tables { try await remove(of: service, from: table, run) }
      }
      return nil
    }
  }

  /// What is gone is not found again, so there is no place to keep but the count.
  private func remove(of service: FollowedService, from table: FactTable, _ run: JobRun) async throws {
    while true {
      let row = try await database.row(
        Statement(
          """
          SELECT generation FROM \(table.name)
          WHERE generation < (SELECT min(generation) FROM progress WHERE service = ?) LIMIT 1
          """, [.text(service.rawValue)]))
      guard let generation = try row?.integer(0) else { return }
      let removal = Statement(
        """
        DELETE FROM \(table.name) WHERE generation = ? AND \(table.key) IN (
          SELECT \(table.key) FROM \(table.name) WHERE generation = ? LIMIT ?)
        """, [.integer(generation), .integer(generation), .integer(Self.removedRows)])
      let progress = JobProgress(done: run.progress.done, unit: "rows", text: "\(service.rawValue): \(table.name)")
      let removed = try await run.save(Batch([removal]), checkpoint: [], progress: progress)
      var after = progress
      after.done += Int64(removed.first ?? 0)
      try await run.save(checkpoint: [], progress: after)
    }
  }
}
