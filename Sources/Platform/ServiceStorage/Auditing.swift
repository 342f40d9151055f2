import Audit
import Core
import ServiceRuntime
import Storage

extension ServiceEnvironment {
  /// The audit log of a service on its database, as what runs beside it. `lease` is that of its event sequencer; a service without
  /// events gives none.
  public func auditing(_ name: String, on database: any Database, lease: PartitionLease? = nil) async throws -> Beside {
    if lease == nil { _ = try await EventLog.open(database, random: random) }
    let log = try await AuditLog.open(database, name: "mainstay/\(name)", clock: clock, random: random)
    let lease = lease ?? PartitionLease(database: database, partition: 0, holder: "mainstay-\(name)", clock: clock)
    let loop = AuditLoop(LeafSequencer(log: log, lease: lease, key: nil, clock: clock))
    let (sleep, onError) = (sleep, onLoopError)
    var beside = Beside()
    beside.loops = [{ try await loop.run(sleep: sleep, onError: onError) }]
    return beside
  }
}
