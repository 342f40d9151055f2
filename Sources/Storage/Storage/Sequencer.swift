import Core
import Synchronization

/// Gives committed events their positions: 1, 2, 3 … without a gap, each aggregate's in the order of its versions.
///
/// Exactly one numbers a partition at a time: it holds the lease in event_partition, and each of its writes has the
/// lease's fencing token as a precondition, so that one who has lost the lease without knowing cannot write. An idle
/// lease is not renewed; whoever first finds events to number takes a lapsed one.
public final class Sequencer: Sendable {
  /// Most events that one batch numbers; a larger chunk would keep interactive writes waiting.
  public static let maximumChunk = 4_096
  /// Longest time without a look at the table, for commits of other replicas and those before a restart.
  public static let pollInterval = Duration.milliseconds(200)
  /// Wait after a commit for those that follow, so that under load one batch numbers many.
  public static let gatherInterval = Duration.milliseconds(20)
  /// Pause after an error.
  public static let retryInterval = Duration.seconds(1)

  /// What a step has done.
  public enum Step: Hashable, Sendable {
    /// Nothing waits for a number.
    case idle
    /// So many events got theirs; a full chunk means that more may wait.
    case numbered(Int)
    /// Another sequencer holds the lease.
    case heldByOther
  }

  /// The right to number, to be shared with whoever works under it in this process.
  public let lease: PartitionLease

  private let database: any Database
  private let log: EventLog
  private let lastSeenPosition = Mutex<Int64>(0)

  /// A sequencer for the partition of a log. `holder` is the replica's stable name: after a restart it takes its own
  /// lease back at once.
  public init(database: any Database, log: EventLog, holder: String, clock: any Clock) {
    self.database = database
    self.log = log
    lease = PartitionLease(database: database, partition: log.partition, holder: holder, clock: clock)
  }

  /// Numbers events as they are committed, until the task is cancelled; then throws `CancellationError`. Other errors
  /// go to `onError`, and it tries again. `sleep` is the event loop's and must end early when cancelled.
  public func run(
    sleep: @escaping @Sendable (Duration) async throws -> Void, onError: @Sendable (any Error) -> Void
  ) async throws {
    while true {
      try Task.checkCancellation()
      let seen = database.committedEvents.count
      do {
        if try await step() == .numbered(Sequencer.maximumChunk) { continue }
      } catch let error as CancellationError {
        throw error
      } catch {
        onError(error)
        try await sleep(Sequencer.retryInterval)
        continue
      }
      try await waitForCommits(after: seen, sleep: sleep)
      try await sleep(Sequencer.gatherInterval)
    }
  }

  /// Numbers one chunk, if there is anything to number.
  public func step() async throws -> Step {
    let partition = SQLValue.integer(log.partition)
    let found = try await database.row(
      Statement(
        """
        SELECT last_position, (SELECT count(*) FROM (
          SELECT 1 FROM event WHERE partition = ? AND position IS NULL LIMIT 1) AS waiting)
        FROM event_partition WHERE partition = ?
        """, [partition, partition]))
    guard let found else { return .idle }
    noteProgress(to: try found.integer(0))
    guard try found.integer(1) > 0 else { return .idle }
    do {
      let receipt = try await database.commit(numbering(try await lease.precondition()), lane: .interactive)
      log.announce()
      return .numbered(receipt.changes[1])
    } catch StorageError.conflict(PartitionLease.lost) {
      lease.forget()
      return .heldByOther
    }
  }

  /// Another replica's numbering raises no signal here.
  private func noteProgress(to position: Int64) {
    let isFurther = lastSeenPosition.withLock { last in
      defer { last = position }
      return position > last
    }
    if isFurther { log.announce() }
  }

  /// One batch for a whole chunk: no statement per event.
  private func numbering(_ precondition: Statement) -> Batch {
    let partition = SQLValue.integer(log.partition)
    return Batch([
      precondition,
      Statement(
        """
        UPDATE event SET position = numbered.position FROM (
          SELECT aggregate_id, aggregate_version,
            (SELECT last_position FROM event_partition WHERE partition = ?)
              + row_number() OVER (ORDER BY aggregate_id, aggregate_version) AS position
          FROM (
            SELECT aggregate_id, aggregate_version FROM event WHERE partition = ? AND position IS NULL
            ORDER BY aggregate_id, aggregate_version LIMIT ?) AS waiting) AS numbered
        WHERE event.aggregate_id = numbered.aggregate_id AND event.aggregate_version = numbered.aggregate_version
        """, [partition, partition, .integer(Int64(Sequencer.maximumChunk))]),
      Statement(
        """
        UPDATE event_partition SET last_position = (
          SELECT max(position) FROM event WHERE partition = ? AND position IS NOT NULL)
        WHERE partition = ? AND last_position < (
          SELECT max(position) FROM event WHERE partition = ? AND position IS NOT NULL)
        """, [partition, partition, partition]),
    ])
  }

  /// Until events are committed, at most the poll interval.
  private func waitForCommits(after seen: UInt64, sleep: @escaping @Sendable (Duration) async throws -> Void)
    async throws
  {
    let commits = database.committedEvents
    guard commits.count == seen else { return }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await commits.wait(after: seen) }
      group.addTask { try await sleep(Sequencer.pollInterval) }
      defer { group.cancelAll() }
      try await group.next()
    }
  }
}
