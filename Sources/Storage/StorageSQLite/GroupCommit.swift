import Core
import Storage

/// A batch that waits for its turn, with the caller to wake.
struct PendingBatch: Sendable {
  let number: UInt64
  let statements: [Statement]
  /// Which of the statements the receipt speaks of.
  let receipt: Range<Int>
  let hasEvents: Bool
  let continuation: CheckedContinuation<BatchReceipt, any Error>
}

/// Writes batches in one transaction, each in a savepoint of its own: one fsync for all of them, and a batch that fails
/// takes only itself back.
struct GroupCommit {
  /// How each batch ended; the callers are told after this, never before COMMIT.
  struct Outcome {
    var results: [(batch: PendingBatch, result: Result<BatchReceipt, any Error>)] = []
    var transactions = 0
    /// The disk failed: what was written is unknown, and so is what a later fsync would tell.
    var fatal: StorageError?
    /// There was no room for some batch.
    var isFull = false

    /// What an error means for the writer.
    mutating func note(_ error: any Error) {
      switch error as? StorageError {
      case .inputOutput: fatal = fatal ?? error as? StorageError
      case .full: isFull = true
      default: break
      }
    }

    /// What had succeeded has not.
    mutating func failAll(_ error: any Error) {
      for index in results.indices where results[index].result.isSuccess { results[index].result = .failure(error) }
    }
  }

  let connection: Connection
  let clock: any Clock
  let limits: SQLiteLimits

  /// Takes batches from `next` until there is none, the group is full or its time is up, and commits them.
  func run(first: PendingBatch, next: () -> PendingBatch?) -> Outcome {
    var outcome = Outcome()
    do { try begin() } catch {
      outcome.note(error)
      outcome.results.append((first, .failure(error)))
      return outcome
    }
    let end = clock.monotonicNanoseconds() + limits.groupNanoseconds
    var pending: PendingBatch? = first
    while let batch = pending {
      let result = Result { try write(batch) }
      outcome.results.append((batch, result))
      if case .failure(let error) = result {
        outcome.note(error)
        if outcome.fatal != nil {
          rollBack()
          outcome.failAll(error)
          return outcome
        }
        if connection.isOutsideTransaction {
          // The error has ended the whole transaction: the batches before it are gone with it, so each runs again.
          runAgainAlone(&outcome)
          return outcome
        }
      }
      let isFull = outcome.results.count >= limits.groupBatches || clock.monotonicNanoseconds() >= end
      pending = isFull ? nil : next()
    }
    commit(&outcome)
    return outcome
  }

  /// `IMMEDIATE`: takes the write lock now, so that no statement meets it later.
  private func begin() throws { try connection.execute("BEGIN IMMEDIATE") }

  /// The batch in its savepoint; rolls back to it on an error, as long as there is a transaction.
  private func write(_ batch: PendingBatch) throws -> BatchReceipt {
    try connection.execute("SAVEPOINT batch")
    do {
      var changes: [Int] = []
      changes.reserveCapacity(batch.receipt.count)
      for (index, statement) in batch.statements.enumerated() {
        let changed = try connection.execute(statement)
        if batch.receipt.contains(index) { changes.append(changed) }
      }
      try connection.execute("RELEASE batch")
      return BatchReceipt(changes: changes)
    } catch {
      if !connection.isOutsideTransaction {
        do {
          try connection.execute("ROLLBACK TO batch")
          try connection.execute("RELEASE batch")
        } catch {
          // A savepoint that cannot be undone must not be committed with the others.
          rollBack()
        }
      }
      throw error
    }
  }

  private func commit(_ outcome: inout Outcome) {
    guard outcome.results.contains(where: \.result.isSuccess) else { return rollBack() }
    do {
      try connection.execute("COMMIT")
      outcome.transactions += 1
    } catch {
      rollBack()
      outcome.note(error)
      if case .constraintViolation = error as? StorageError, outcome.results.count > 1 {
        // A deferred foreign key, checked only now: the batch that broke it fails when it runs alone.
        runAgainAlone(&outcome)
      } else {
        outcome.failAll(error)
      }
    }
  }

  /// Each batch that had succeeded gets a transaction of its own; once, so that the work stays bounded.
  private func runAgainAlone(_ outcome: inout Outcome) {
    for index in outcome.results.indices where outcome.results[index].result.isSuccess {
      let batch = outcome.results[index].batch
      if let fatal = outcome.fatal {
        outcome.results[index].result = .failure(fatal)
        continue
      }
      let alone = runAlone(batch)
      outcome.results[index].result = alone.results[0].result
      outcome.transactions += alone.transactions
      outcome.fatal = alone.fatal
      outcome.isFull = outcome.isFull || alone.isFull
    }
  }

  /// One batch in a transaction of its own.
  private func runAlone(_ batch: PendingBatch) -> Outcome {
    var alone = Outcome()
    do {
      try begin()
      let result = Result { try write(batch) }
      alone.results.append((batch, result))
      if case .failure(let error) = result { alone.note(error) }
      if !connection.isOutsideTransaction { commit(&alone) }
    } catch {
      alone.note(error)
      alone.results.append((batch, .failure(error)))
    }
    return alone
  }

  private func rollBack() {
    guard !connection.isOutsideTransaction else { return }
    // It fails only where the transaction is gone already, which is what it is for.
    try? connection.execute("ROLLBACK")
  }
}

extension Result {
  var isSuccess: Bool {
    if case .success = self { true } else { false }
  }
}
