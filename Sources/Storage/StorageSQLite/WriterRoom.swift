import CSQLite
import Storage

/// Sees that there is room for the next group: keeps the WAL short, and stops writing on a full disk. For the writer's thread.
struct WriterRoom {
  let connection: Connection
  let limits: SQLiteLimits
  let reserve: DiskReserve
  let checkpointer: Checkpointer
  /// Stops running scans because the WAL is full.
  let stopScans: (CancellationFlag.Reason) -> Void
  /// Checkpoints that the writer itself has run.
  private(set) var checkpoints = 0
  private var pagesWhenAsked = 0

  init(
    connection: Connection, limits: SQLiteLimits, reserve: DiskReserve, checkpointer: Checkpointer,
    stopScans: @escaping (CancellationFlag.Reason) -> Void
  ) {
    self.connection = connection
    self.limits = limits
    self.reserve = reserve
    self.checkpointer = checkpointer
    self.stopScans = stopScans
  }

  /// Why nothing can be written now; nil if it can. Throws what makes writing unsafe for good.
  mutating func refusal() throws(StorageError) -> StorageError? {
    guard reserve.isThere() else { return .full(path: connection.path) }
    guard connection.walPages >= limits.maximumWALPages else { return nil }
    checkpointer.waitUntilIdle()
    // At the limit the writer does not wait for readers: it refuses until they have ended.
    sqlite3_busy_timeout(connection.handle, 0)
    defer { sqlite3_busy_timeout(connection.handle, limits.busyTimeoutMilliseconds) }
    checkpoints += 1
    switch try connection.checkpoint(emptying: true) {
    case .finished: return nil
    case .partial:
      let reason = CancellationFlag.Reason.walIsFull(pages: limits.maximumWALPages)
      stopScans(reason)
      return .overloaded(queue: "the write-ahead log", limit: limits.maximumWALPages)
    case .full: return try giveUpReserve()
    }
  }

  /// After a group: asks for a checkpoint beside the writer as the WAL grows; from a certain length the writer does the rest of
  /// each itself, which is short, so that the WAL can begin anew.
  mutating func keepWALShort() throws(StorageError) {
    let pages = connection.walPages
    if pages < pagesWhenAsked { pagesWhenAsked = 0 }
    if pages >= limits.finishedCheckpointPages, checkpointer.takeEnded() {
      checkpoints += 1
      if try connection.checkpoint() == .full { _ = try giveUpReserve() }
    }
    if pages - pagesWhenAsked >= limits.checkpointPages {
      pagesWhenAsked = pages
      checkpointer.request()
    }
  }

  /// The disk is full: makes some room, and uses it to move the WAL into the file.
  @discardableResult
  func giveUpReserve() throws(StorageError) -> StorageError {
    if reserve.giveUp() { _ = try connection.checkpoint() }
    return .full(path: connection.path)
  }
}
