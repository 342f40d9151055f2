import CCrashDisk
import Storage
import StorageSQLite

/// A disk that loses power; see crash_disk.h.
///
/// @unchecked Sendable is safe: the disk has a lock of its own.
final class CrashDisk: @unchecked Sendable {
  let name: String
  private let disk: OpaquePointer

  init() {
    var generator = SystemRandomNumberGenerator()
    name = "crash-\(generator.next() as UInt64)"
    guard let made = crash_disk_create(name) else { preconditionFailure("no memory for a disk") }
    disk = made
  }

  deinit { crash_disk_destroy(disk) }

  var hasLostPower: Bool { crash_disk_has_lost_power(disk) != 0 }
  var syncs: UInt64 { crash_disk_syncs(disk) }
  var usedBytes: Int64 { crash_disk_used_bytes(disk) }

  func losePower(afterOperations count: UInt64) { crash_disk_lose_power_after(disk, count) }
  func failSyncs(after count: Int64) { crash_disk_fail_syncs_after(disk, count) }
  func failWrites(after count: Int64) { crash_disk_fail_writes_after(disk, count) }
  func limit(bytes: Int64) { crash_disk_limit_bytes(disk, bytes) }
  func failReads(_ fails: Bool) { crash_disk_fail_reads(disk, fails ? 1 : 0) }

  /// What the next start finds. Returns a system error, or 0.
  func salvage(into folder: String, seed: UInt64) -> Int32 { crash_disk_salvage(disk, folder, seed) }

  /// Limits that make checkpoints, spills and short groups frequent.
  func limits(isUnsynced: Bool = false) -> SQLiteLimits {
    var limits = SQLiteLimits()
    limits.fileSystem = name
    limits.isUnsynced = isUnsynced
    limits.checkpointPages = 8
    limits.finishedCheckpointPages = 24
    limits.groupBatches = 7
    limits.writerCacheKibibytes = 64
    limits.reservedBytes = 0
    return limits
  }
}
