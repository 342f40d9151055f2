import API
import Audit
import AuditProof
import Core
import RPCCore
import ServiceRuntime
import Signatures
import Storage

/// A service's audit log, as its configuration says.
public enum ServiceAudit {
  /// The settings.
  public static let keys = [
    ConfigurationKey(
      "audit.key", "own Ed25519 key for the checkpoints of the audit log, PEM, mode 0600; without one none are signed",
      default: ""),
    ConfigurationKey(
      "audit.checkpoint_file", "file outside the data to which each checkpoint is added; none if empty", default: ""),
    ConfigurationKey(
      "audit.witness", "HOST:PORT of the service that each checkpoint is sent to; none if empty", default: ""),
    ConfigurationKey(
      "audit.trusted_keys", "public keys of the logs whose checkpoints this service keeps as witness, one a line",
      default: ""),
    ConfigurationKey(
      "audit.retention_days",
      "how long the contents of audit entries are kept, at least \(LeafRetention.minimumDays); hashes stay",
      default: "\(LeafRetention.defaultDays)"),
  ]

  /// What a log is called in its checkpoints.
  public static func logName(of service: String) -> String { "mainstay/\(service)" }
}

extension ServiceEnvironment {
  /// The audit log of a service on its database, and the service as witness of another's: methods, and what runs beside them. `lease`
  /// is that of its event sequencer; a service without events gives none.
  public func auditing(
    _ service: String, on database: any Database, lease: PartitionLease? = nil
  ) async throws -> Beside {
    if lease == nil { _ = try await EventLog.open(database, random: random) }
    let log = try await AuditLog.open(database, name: ServiceAudit.logName(of: service), clock: clock, random: random)
    let replica = ServiceDatabase.replicaName(configuration, service)
    let lease = lease ?? PartitionLease(database: database, partition: 0, holder: replica, clock: clock)
    let path = configuration.path("audit.key")
    let key = path.isEmpty ? nil : try SigningKey(path: path)
    if key == nil { logger.warning("audit.key is not set: the audit log has no signed checkpoints") }
    let file = configuration.path("audit.checkpoint_file")
    let exported = file.isEmpty ? nil : CheckpointFile(path: file)
    let loop = AuditLoop(
      LeafSequencer(log: log, lease: lease, key: key, clock: clock), log: log, file: exported)
    let days = try configuration.integer("audit.retention_days", in: LeafRetention.minimumDays...100_000)
    let retention = LeafRetention(log: log, days: days, clock: clock, random: random)
    let (sleep, onError) = (sleep, onLoopError)
    var beside = Beside()
    let witness = try witness(on: database)
    beside.methods = AuditEndpoint(log: log, witness: witness).methodBindings
    beside.loops = [
      { try await loop.run(sleep: sleep, onError: onError) },
      { try await retention.run(sleep: sleep, onError: onError) },
    ]
    let witnessing = try channel(key: "audit.witness").map { channel in
      let clock = clock
      return WitnessLoop(log: log, channel: channel) { CallOptions(deadline: Deadline(after: $0, clock: clock)) }
    }
    if let witnessing {
      let onFailure = onWitnessFailure
      beside.loops.append { try await witnessing.run(sleep: sleep, onError: onFailure) }
    }
    beside.isSound = { witnessing?.standing.isRefused != true }
    beside.gauges = {
      try await Gauge.audit(log, exported: exported?.exportedLeaves, witness: witnessing?.standing)
        + Gauge.refused(try await witness.refused())
    }
    return beside
  }

  /// What to do when the witness takes no checkpoint: a line in the log.
  private var onWitnessFailure: @Sendable (any Error) -> Void {
    let logger = logger
    return { error in
      let isRefused = (error as? RPCError)?.code == .failedPrecondition
      logger.log(
        level: isRefused ? .error : .warning,
        isRefused
          ? "the witness refuses the audit log's checkpoint: the log is not the one that was signed before; stop nothing, restore nothing, and follow docs/runbooks/audit.md"
          : "the witness takes no checkpoints now; they wait, and the newest is sent when it is back",
        metadata: ["cause": "\(error)"])
    }
  }

  /// The service as witness. Its keys are read for each checkpoint, so that a new log is known without a restart.
  private func witness(on database: any Database) throws -> Witness {
    let path = configuration.path("audit.trusted_keys")
    let logger = logger
    return Witness(
      database: database, clock: clock, keys: { path.isEmpty ? [] : try LogKey.read(path: path) },
      onRefusal: { origin, reason in
        logger.error(
          "another service's audit log contradicts what it has signed before; the evidence is kept here: follow docs/runbooks/audit.md",
          metadata: ["log": "\(origin)", "reason": "\(reason)"])
      })
  }
}
