import Storage

/// A batch as one transaction.
///
/// Its statements go out in one round. If none of them expects a number of rows, COMMIT goes with them: the server itself skips it
/// after an error. Else the numbers are looked at first, and COMMIT or ROLLBACK is a second round.
struct BatchExchange: Exchange {
  let statements: [Statement]
  /// Which of the statements the receipt speaks of.
  let receipt: Range<Int>
  let path: String
  let milliseconds: Int
  private var phase = Phase.running

  private enum Phase: Sendable {
    case running
    case committing(BatchReceipt)
    case rollingBack(any Error)
    case rollingBackToRepeat(StorageError, ServerFailure)
  }

  init(_ statements: [Statement], receipt: Range<Int>, path: String, milliseconds: Int) {
    (self.statements, self.receipt, self.path, self.milliseconds) = (statements, receipt, path, milliseconds)
  }

  private var countsRows: Bool {
    statements.contains { statement in
      if case .changes = statement.expectation { true } else { false }
    }
  }

  var first: Round {
    var commands = [Command.begin]
    commands.reserveCapacity(statements.count + 2)
    for statement in statements { commands.append(Command(statement.sql, statement.parameters)) }
    if !countsRows { commands.append(.commit) }
    return Round(commands: commands)
  }

  mutating func next(after replies: [Reply]) -> ExchangeStep<BatchReceipt> {
    switch phase {
    case .running: return afterStatements(replies)
    case .committing(let receipt): return afterCommit(replies, receipt)
    case .rollingBack(let error): return .end(.failure(error))
    case .rollingBackToRepeat(let error, let failure):
      return .again(error, onAnotherConnection: failure.isStalePreparation)
    }
  }

  private mutating func afterStatements(_ replies: [Reply]) -> ExchangeStep<BatchReceipt> {
    if let index = replies.firstIndex(where: { $0.failure != nil }), let failure = replies[index].failure {
      // A refused COMMIT has ended the transaction; what else failed left it open.
      return rollBack(failure, statement: index - 1)
    }
    var changes: [Int] = []
    changes.reserveCapacity(receipt.count)
    for (index, statement) in statements.enumerated() {
      var count = 0
      if case .done(let changed) = replies[index + 1] { count = changed }
      if receipt.contains(index) { changes.append(count) }
      if case .changes(let expected, let conflict) = statement.expectation, count != expected {
        return rollBack(StorageError.conflict(conflict))
      }
    }
    let receipt = BatchReceipt(changes: changes)
    guard countsRows else { return .end(.success(receipt)) }
    phase = .committing(receipt)
    return .round(Round(commands: [.commit]))
  }

  private mutating func afterCommit(_ replies: [Reply], _ receipt: BatchReceipt) -> ExchangeStep<BatchReceipt> {
    guard let failure = replies.first?.failure else { return .end(.success(receipt)) }
    return rollBack(failure, statement: statements.count)
  }

  private mutating func rollBack(_ failure: ServerFailure, statement index: Int) -> ExchangeStep<BatchReceipt> {
    let error = failure.storageError(path: path, milliseconds: milliseconds)
    if failure.isPassing || failure.isStalePreparation {
      phase = .rollingBackToRepeat(error, failure)
      return .round(Round(commands: [.rollBack]))
    }
    if case .uniqueViolation = error, statements.indices.contains(index),
      case .unique(let conflict) = statements[index].expectation
    {
      return rollBack(StorageError.conflict(conflict))
    }
    return rollBack(error)
  }

  /// ROLLBACK outside a transaction is no error to the server.
  private mutating func rollBack(_ error: any Error) -> ExchangeStep<BatchReceipt> {
    phase = .rollingBack(error)
    return .round(Round(commands: [.rollBack]))
  }
}
