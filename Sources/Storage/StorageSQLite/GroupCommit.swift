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
    /// COMMIT failed on the disk: what it wrote is unknown, and so is what a later fsync would tell.
    var fatal: StorageError?
  }

  let connection: Connection
  let clock: any Clock
  let limits: SQLiteLimits

  /// Takes batches from `next` until there is none, the group is full or its time is up, and commits them.
  func run(first: PendingBatch, next: () -> PendingBatch?) -> Outcome {
    var outcome = Outcome()
    do { try begin() } catch {
      outcome.results.append((first, .failure(error)))
      return outcome
    }
    let end = clock.monotonicNanoseconds() + limits.groupNanoseconds
    var pending: PendingBatch? = first
    while let batch = pending {
      let result = Result { try write(batch) }
      outcome.results.append((batch, result))
      if case .failure = result, connection.isOutsideTransaction {
        // The error has ended the whole transaction: the batches before it are gone with it, so each runs again.
        runAgainAlone(&outcome)
        return outcome
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
      switch error as? StorageError {
      case .constraintViolation where outcome.results.count > 1:
        // A deferred foreign key, checked only now: the batch that broke it fails when it runs alone.
        runAgainAlone(&outcome)
      case .inputOutput(let path, let detail):
        outcome.fatal = .inputOutput(path: path, detail: detail)
        fallthrough
      default:
        for index in outcome.results.indices where outcome.results[index].result.isSuccess {
          outcome.results[index].result = .failure(error)
        }
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
      var alone = Outcome()
      do {
        try begin()
        alone.results.append((batch, Result { try write(batch) }))
        if !connection.isOutsideTransaction { commit(&alone) }
        outcome.results[index].result = alone.results[0].result
        outcome.transactions += alone.transactions
        outcome.fatal = alone.fatal
      } catch {
        outcome.results[index].result = .failure(error)
      }
    }
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
