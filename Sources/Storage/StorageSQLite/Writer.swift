import Core
import CSQLite
import Storage

/// What the writer has done since the database was opened.
public struct WriterStatistics: Hashable, Sendable {
  /// Transactions committed; each is one wait for the disk.
  public var transactions = 0
  /// Batches committed.
  public var batches = 0
  /// Batches that failed and left nothing.
  public var failedBatches = 0
  /// Checkpoints that the writer itself had to finish.
  public var checkpoints = 0
  /// Pages in the WAL.
  public var walPages = 0
}

/// The one thread that writes. Batches wait in two bounded lines and are committed in groups; nothing waits for a group
/// to fill: what has come while the last one was on its way to the disk forms the next.
final class Writer: Sendable {
  /// Given the connection, or why it must not be used; returns what went wrong.
  typealias Job = @Sendable (Result<Connection, StorageError>) -> (any Error)?

  private struct State: Sendable {
    var interactive = WaitingLine<PendingBatch>()
    var bulk = WaitingLine<PendingBatch>()
    var jobs = WaitingLine<Job>()
    var lastNumber: UInt64 = 0
    var interactiveGroups = 0
    var isClosing = false
    var failure: StorageError?
    var statistics = WriterStatistics()

    var isIdle: Bool { interactive.isEmpty && bulk.isEmpty && jobs.isEmpty }
  }

  private enum Work {
    case job(Job)
    case group(PendingBatch, WriteLane)
    case end
  }

  /// Most jobs that wait between groups.
  private static let maximumJobs = 64

  private let state = Monitor(State())
  private let limits: SQLiteLimits
  private let clock: any Clock
  private let committedEvents: AsyncSignal

  init(limits: SQLiteLimits, clock: any Clock, committedEvents: AsyncSignal) {
    self.limits = limits
    self.clock = clock
    self.committedEvents = committedEvents
  }

  var statistics: WriterStatistics { state.withLock { $0.statistics } }

  // MARK: Called by anyone

  /// Waits for its turn and its commit.
  func commit(_ batch: Batch, lane: WriteLane) async throws -> BatchReceipt {
    let statements = batch.allStatements
    guard statements.count <= Batch.maximumStatements else {
      throw StorageError.batchTooLarge(statements: statements.count, limit: Batch.maximumStatements)
    }
    let number = state.withLock { state in
      state.lastNumber += 1
      return state.lastNumber
    }
    let first = batch.firstStatement
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let pending = PendingBatch(
          number: number, statements: statements, receipt: first..<first + batch.statements.count,
          hasEvents: !batch.events.isEmpty, continuation: continuation)
        if let refusal = state.withLock({ enqueue(pending, lane, &$0) }) {
          continuation.resume(throwing: refusal)
        } else {
          state.wakeAll()
        }
      }
    } onCancel: {
      withdraw(number, lane)?.continuation.resume(throwing: CancellationError())
    }
  }

  /// Runs between two groups, on the writer's connection.
  func run<Success: Sendable>(_ body: @escaping @Sendable (Connection) throws -> Success) async throws -> Success {
    try await withCheckedThrowingContinuation { continuation in
      let refusal: StorageError? = state.withLock { state in
        if state.isClosing { return .closed }
        if state.failure != nil { return state.failure }
        guard state.jobs.count < Writer.maximumJobs else {
          return .overloaded(queue: "work between writes", limit: Writer.maximumJobs)
        }
        state.jobs.append { connection in
          let result = Result { try body(connection.get()) }
          continuation.resume(with: result)
          if case .failure(let error) = result { return error }
          return nil
        }
        return nil
      }
      if let refusal { continuation.resume(throwing: refusal) } else { state.wakeAll() }
    }
  }

  /// Refuses further work; the thread ends when what waits is done.
  func beginClosing() {
    state.withLock { $0.isClosing = true }
    state.wakeAll()
  }

  /// Lets no more batch through: after a failed fsync nobody knows what is on the disk.
  func fail(_ error: StorageError) { state.withLock { $0.failure = $0.failure ?? error } }

  /// Why a batch may not wait, or nil when it does.
  private func enqueue(_ batch: PendingBatch, _ lane: WriteLane, _ state: inout State) -> (any Error)? {
    if state.isClosing { return StorageError.closed }
    if let failure = state.failure { return failure }
    // Under the lock: a cancellation from here on finds the batch.
    if Task.isCancelled { return CancellationError() }
    switch lane {
    case .interactive:
      guard state.interactive.count < limits.interactiveQueue else {
        return StorageError.overloaded(queue: "writes", limit: limits.interactiveQueue)
      }
      state.interactive.append(batch)
    case .bulk:
      guard state.bulk.count < limits.bulkQueue else {
        return StorageError.overloaded(queue: "bulk writes", limit: limits.bulkQueue)
      }
      state.bulk.append(batch)
    }
    return nil
  }

  /// Takes a batch out of its line, unless it has started.
  private func withdraw(_ number: UInt64, _ lane: WriteLane) -> PendingBatch? {
    state.withLock { state in
      switch lane {
      case .interactive: state.interactive.remove { $0.number == number }
      case .bulk: state.bulk.remove { $0.number == number }
      }
    }
  }

  // MARK: On the writer's thread

  /// The thread's whole life.
  func work(_ room: WriterRoom) {
    var room = room
    let connection = room.connection
    let group = GroupCommit(connection: connection, clock: clock, limits: limits)
    while true {
      switch state.wait(for: nextWork) {
      case .end:
        if failure != nil { connection.keepWAL() }
        return
      case .job(let job):
        if case .inputOutput(let path, let detail) = job(failure.map { .failure($0) } ?? .success(connection))
          as? StorageError
        {
          fail(.inputOutput(path: path, detail: detail))
        }
      case .group(let first, let lane): write(first, lane, group, &room)
      }
      if failure == nil {
        do throws(StorageError) { try room.keepWALShort() } catch { fail(error) }
      }
      state.withLock { state in
        state.statistics.checkpoints = room.checkpoints
        state.statistics.walPages = connection.walPages
      }
    }
  }

  private var failure: StorageError? { state.withLock { $0.failure } }

  private func write(_ first: PendingBatch, _ lane: WriteLane, _ group: GroupCommit, _ room: inout WriterRoom) {
    do throws(StorageError) {
      var refusal = failure
      if refusal == nil { refusal = try room.refusal() }
      if let refusal { return first.continuation.resume(throwing: refusal) }
    } catch {
      fail(error)
      return first.continuation.resume(throwing: error)
    }
    let outcome = group.run(first: first) { state.withLock { nextInGroup(lane, &$0) } }
    finish(outcome)
    guard outcome.isFull, outcome.fatal == nil else { return }
    do throws(StorageError) { try room.giveUpReserve() } catch { fail(error) }
  }

  private func nextWork(_ state: inout State) -> Work? {
    if let job = state.jobs.popFirst() { return .job(job) }
    let bulkIsDue = state.interactive.isEmpty || state.interactiveGroups >= limits.interactiveGroupsInRow
    if bulkIsDue, let batch = state.bulk.popFirst() {
      state.interactiveGroups = 0
      return .group(batch, .bulk)
    }
    if let batch = state.interactive.popFirst() {
      state.interactiveGroups += 1
      return .group(batch, .interactive)
    }
    return state.isClosing ? .end : nil
  }

  /// A group keeps to one lane: an interactive batch does not wait for a bulk batch behind it.
  private func nextInGroup(_ lane: WriteLane, _ state: inout State) -> PendingBatch? {
    switch lane {
    case .interactive: state.interactive.popFirst()
    case .bulk: state.interactive.isEmpty ? state.bulk.popFirst() : nil
    }
  }

  /// Tells the callers, after COMMIT.
  private func finish(_ outcome: GroupCommit.Outcome) {
    var committed = 0
    var hasEvents = false
    for (batch, result) in outcome.results where result.isSuccess {
      committed += 1
      hasEvents = hasEvents || batch.hasEvents
    }
    state.withLock { state in
      state.statistics.transactions += outcome.transactions
      state.statistics.batches += committed
      state.statistics.failedBatches += outcome.results.count - committed
      state.failure = state.failure ?? outcome.fatal
    }
    if hasEvents { committedEvents.raise() }
    for (batch, result) in outcome.results { batch.continuation.resume(with: result) }
  }
}
