import CSQLite
import Storage

/// What a checkpoint has done.
enum CheckpointOutcome {
  /// All of the WAL is in the file: the next write begins the WAL anew unless somebody still reads from it.
  case finished
  /// A part; somebody reads what the rest would overwrite, or more came meanwhile.
  case partial
  /// There was no room in the file for all of it.
  case full
}

extension Connection {
  /// Moves what it can from the WAL into the file without keeping anybody waiting. `emptying` it succeeds only when nobody reads
  /// from the WAL any more.
  ///
  /// Throws only what makes further writing unsafe: an fsync that failed is not made good by the next one.
  func checkpoint(emptying: Bool = false) throws(StorageError) -> CheckpointOutcome {
    var (pages, moved): (Int32, Int32) = (0, 0)
    let mode = emptying ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE
    let code = sqlite3_wal_checkpoint_v2(handle, nil, mode, &pages, &moved)
    switch code & 0xFF {
    case SQLITE_OK:
      guard pages == moved else { return .partial }
      if emptying { hooks.walPages = 0 }
      return .finished
    case SQLITE_BUSY, SQLITE_LOCKED, SQLITE_READONLY: return .partial
    case SQLITE_FULL: return .full
    default: throw failure(code)
    }
  }

  /// Leaves the WAL as it is when the connection is closed: after a failed fsync only the next opening, which verifies
  /// its checksums, can tell what of it is on the disk.
  func keepWAL() { mainstay_sqlite_keep_wal(handle) }
}

/// A thread that moves the WAL into the file while the writer goes on.
final class Checkpointer: Sendable {
  private struct State: Sendable {
    var isWanted = false
    var isRunning = false
    var hasEnded = false
    var isClosing = false
  }

  private enum Work {
    case checkpoint
    case end
  }

  private let state = Monitor(State())

  /// Asks for a checkpoint; asking twice before it starts is asking once.
  func request() {
    state.withLock { $0.isWanted = true }
    state.wakeAll()
  }

  /// True once after each checkpoint.
  func takeEnded() -> Bool {
    state.withLock { state in
      guard state.hasEnded, !state.isRunning, !state.isWanted else { return false }
      state.hasEnded = false
      return true
    }
  }

  /// Blocks until none runs.
  func waitUntilIdle() { state.wait { state in state.isRunning || state.isWanted && !state.isClosing ? nil : () } }

  /// The thread ends; a checkpoint that runs comes to its end.
  func beginClosing() {
    state.withLock { $0.isClosing = true }
    state.wakeAll()
  }

  /// The thread's whole life.
  func work(
    _ connection: Connection, onFailure: (StorageError) -> Void, onFull: () -> Void
  ) {
    while true {
      guard case .checkpoint = state.wait(for: nextWork) else { return }
      do { if try connection.checkpoint() == .full { onFull() } } catch { onFailure(error) }
      state.withLock { state in
        state.isRunning = false
        state.hasEnded = true
      }
      state.wakeAll()
    }
  }

  private func nextWork(_ state: inout State) -> Work? {
    if state.isClosing { return .end }
    guard state.isWanted else { return nil }
    state.isWanted = false
    state.isRunning = true
    return .checkpoint
  }
}
