import Audit
import ServiceRuntime
import Storage

extension ServiceEnvironment {
  /// The continuous auditor of a service's database: a loop beside the calls, and its figures in Prometheus' text form. What it
  /// finds goes to the log as an error.
  public func auditor(
    of database: any Database, _ aggregates: [AggregateRows]
  ) -> (
    loop: @Sendable () async throws -> Void, metrics: @Sendable () -> String, isSound: @Sendable () -> Bool
  ) {
    let auditor = StorageAuditor(database, Invariant.ofServices(aggregates), clock: clock)
    let (logger, sleep, onError) = (logger, sleep, onLoopError)
    let loop: @Sendable () async throws -> Void = {
      try await auditor.run(
        sleep: sleep,
        onFinding: { finding in
          logger.error(
            finding.check == Invariant.leafHashes.name
              ? "the audit log is not as it was written: restore nothing, and follow docs/runbooks/audit.md"
              : "stored data contradict each other: stop the service and run mainstay storage check",
            metadata: ["check": "\(finding.check)", "place": "\(finding.place)", "problem": "\(finding.problem)"])
        }, onError: onError)
    }
    return (loop, { auditor.figures.prometheusText }, { auditor.figures.violations == 0 })
  }
}

extension Invariant {
  /// What holds of a service's database, its audit log's hashes too.
  static func ofServices(_ aggregates: [AggregateRows]) -> [Invariant] { all(aggregates) + [leafHashes] }
}

extension StorageAuditor.Figures {
  /// Prometheus' text form.
  var prometheusText: String {
    let last = lastPassTime.map { $0.microsecondsSinceEpoch / 1_000_000 } ?? 0
    return """
      # HELP mainstay_storage_violations Stored data that contradict each other, found by the last pass of the auditor.
      # TYPE mainstay_storage_violations gauge
      mainstay_storage_violations \(violations)
      # HELP mainstay_storage_last_pass_timestamp_seconds When the auditor had last looked at all data; 0 before.
      # TYPE mainstay_storage_last_pass_timestamp_seconds gauge
      mainstay_storage_last_pass_timestamp_seconds \(last)
      # HELP mainstay_storage_checked_rows_total Rows that the auditor has looked at.
      # TYPE mainstay_storage_checked_rows_total counter
      mainstay_storage_checked_rows_total \(rows)

      """
  }
}
