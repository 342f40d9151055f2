import Core
import Synchronization

/// The right to number a partition's events, and to give its audit leaves their places: one replica has it at a time.
///
/// It is a row of event_partition with a fencing token, which is a precondition of each of the holder's writes: one who has lost the
/// lease without knowing cannot write. An idle lease is not renewed; whoever first finds work takes a lapsed one. Those who work
/// under one lease in one process share this value.
public final class PartitionLease: Sendable {
  /// How long it holds after the last write.
  public static let microseconds: Int64 = 5_000_000
  /// One that would hold longer than this was taken by a clock that has been put back since: anybody may take it.
  public static let longestMicroseconds: Int64 = 60_000_000
  /// What a batch fails with when the lease is another's.
  public static let lost = BatchConflict(.preconditionFailed, subject: "the sequencer's lease")

  private let database: any Database
  private let partition: Int64
  private let holder: String
  private let clock: any Clock
  private let fencingToken = Mutex<Int64?>(nil)

  /// A lease on a partition that an `EventLog` has opened. `holder` is the replica's stable name: after a restart it takes its own
  /// lease back at once.
  public init(database: any Database, partition: Int64, holder: String, clock: any Clock) {
    (self.database, self.partition, self.holder, self.clock) = (database, partition, holder, clock)
  }

  /// The precondition of a write under the lease, which it renews. Takes the lease if it is free; throws `lost` if another holder's
  /// has not lapsed.
  public func precondition() async throws -> Statement {
    let token = if let held = fencingToken.withLock({ $0 }) { held } else { try await take() }
    return Statement(
      "UPDATE event_partition SET expires_time = ? WHERE partition = ? AND holder = ? AND fencing_token = ?",
      [.time(end(from: clock.now())), .integer(partition), .text(holder), .integer(token)],
      expect: .changes(1, orFail: PartitionLease.lost))
  }

  /// A write has failed with `lost`: the next one asks for the lease anew.
  public func forget() { fencingToken.withLock { $0 = nil } }

  /// The fencing token of a fresh lease; a conflict if another holder's has not lapsed.
  private func take() async throws -> Int64 {
    let now = clock.now()
    try await database.commit(
      Batch([
        Statement(
          """
          UPDATE event_partition SET holder = ?, fencing_token = fencing_token + 1, expires_time = ?
          WHERE partition = ? AND (expires_time <= ? OR expires_time > ? OR holder = ?)
          """,
          [
            .text(holder), .time(end(from: now)), .integer(partition), .time(now),
            .integer(now.microsecondsSinceEpoch + PartitionLease.longestMicroseconds), .text(holder),
          ],
          expect: .changes(1, orFail: PartitionLease.lost))
      ]), lane: .interactive)
    let row = try await database.row(
      Statement(
        "SELECT fencing_token FROM event_partition WHERE partition = ? AND holder = ?",
        [.integer(partition), .text(holder)]))
    guard let token = try row?.integer(0) else { throw StorageError.conflict(PartitionLease.lost) }
    fencingToken.withLock { $0 = token }
    return token
  }

  private func end(from now: Timestamp) -> Timestamp {
    Timestamp(microsecondsSinceEpoch: now.microsecondsSinceEpoch + PartitionLease.microseconds)
  }
}
