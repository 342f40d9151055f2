import Storage

/// Threads for queries that may take long, each with a connection of its own, and a bounded line before them.
final class ScanReaders: Sendable {
  private struct Scan: Sendable {
    let number: UInt64
    let statement: Statement
    let cancellation: CancellationFlag
    let continuation: CheckedContinuation<[Row], any Error>
  }

  private enum Work: Sendable {
    case scan(Scan)
    case end
  }

  private struct State: Sendable {
    var line = WaitingLine<Scan>()
    var lastNumber: UInt64 = 0
    var running: [UInt64: CancellationFlag] = [:]
    var isClosing = false
  }

  private let state = Monitor(State())
  private let limits: SQLiteLimits

  init(limits: SQLiteLimits) { self.limits = limits }

  /// Waits for a thread and for the rows. A cancelled task leaves the line, or stops its query within some thousand
  /// steps.
  func query(_ statement: Statement) async throws -> [Row] {
    let cancellation = CancellationFlag()
    let number = state.withLock { state in
      state.lastNumber += 1
      return state.lastNumber
    }
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let scan = Scan(number: number, statement: statement, cancellation: cancellation, continuation: continuation)
        let refusal: (any Error)? = state.withLock { state in
          if state.isClosing { return StorageError.closed }
          if Task.isCancelled { return CancellationError() }
          guard state.line.count < limits.scanQueue else {
            return StorageError.overloaded(queue: "scans", limit: limits.scanQueue)
          }
          state.line.append(scan)
          return nil
        }
        if let refusal { continuation.resume(throwing: refusal) } else { state.wakeAll() }
      }
    } onCancel: {
      cancellation.set()
      let waiting = state.withLock { $0.line.remove { $0.number == number } }
      waiting?.continuation.resume(throwing: CancellationError())
    }
  }

  /// Stops the scans that run, within some thousand steps.
  func stopRunning(_ reason: CancellationFlag.Reason) {
    let running = state.withLock { Array($0.running.values) }
    for flag in running { flag.set(reason) }
  }

  /// Refuses further scans; the threads end when what waits is done. False if it was called before.
  func beginClosing() -> Bool {
    let isFirst = state.withLock { state in
      defer { state.isClosing = true }
      return !state.isClosing
    }
    state.wakeAll()
    return isFirst
  }

  /// A thread's whole life.
  func work(_ connection: Connection) {
    let queryLimits = QueryLimits(steps: limits.scanSteps, rows: limits.scanRows)
    while true {
      switch state.wait(for: nextWork) {
      case .end: return
      case .scan(let scan):
        let result = Result {
          try connection.query(scan.statement, limits: queryLimits, cancellation: scan.cancellation)
        }
        state.withLock { _ = $0.running.removeValue(forKey: scan.number) }
        scan.continuation.resume(with: result)
      }
    }
  }

  private func nextWork(_ state: inout State) -> Work? {
    if let scan = state.line.popFirst() {
      state.running[scan.number] = scan.cancellation
      return .scan(scan)
    }
    return state.isClosing ? .end : nil
  }
}
