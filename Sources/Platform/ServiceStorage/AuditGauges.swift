import Audit
import ServiceRuntime

extension Gauge {
  /// How far a service's audit log is, and how much of it is out of its own reach. `exported` is of its checkpoint file and `witness`
  /// of the service that witnesses it, where there are such.
  static func audit(_ log: AuditLog, exported: Int64?, witness: WitnessLoop.Standing?) async throws -> [Gauge] {
    var gauges = [
      Gauge(
        "mainstay_audit_leaves", help: "Leaves of the audit log that have their place.",
        value: Double(try await log.state()?.frontier.size ?? 0)),
      Gauge(
        "mainstay_audit_waiting_leaves", help: "Leaves that are committed and have no place yet.",
        value: Double(try await log.waitingLeaves())),
    ]
    if let exported {
      gauges.append(
        Gauge(
          "mainstay_audit_exported_leaves", help: "Leaves that the last checkpoint in the checkpoint file tells of.",
          value: Double(exported)))
    }
    if let witness {
      gauges += [
        Gauge(
          "mainstay_audit_witnessed_leaves", help: "Leaves that the witness's last checkpoint of this log tells of.",
          value: Double(witness.leaves)),
        Gauge(
          "mainstay_audit_witness_refuses",
          help: "1 if the witness refuses the checkpoints: the log is not the one that was signed before.",
          value: witness.isRefused ? 1 : 0),
      ]
    }
    return gauges
  }

  /// Evidence against other services' logs.
  static func refused(_ logs: [(origin: String, count: Int64)]) -> [Gauge] {
    logs.map {
      Gauge(
        "mainstay_audit_refused_checkpoints",
        help: "Checkpoints of another log that contradict what it has signed before, kept here as evidence.",
        labels: ["log": $0.origin], value: Double($0.count))
    }
  }
}
