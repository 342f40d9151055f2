import CPostgres
import Storage

/// A round on its way: what is still to be answered.
struct Flight {
  /// What the server answers, in order.
  enum Expected {
    case forgetting(name: String)
    case preparing(sql: String, name: String)
    case command(Int)
  }

  let commits: Bool
  var replies: [Reply]
  var expected: [Expected] = []
  /// How many of them are answered.
  var answered = 0
  /// Whether the current one has had its result.
  var hasResult = false
  /// Why the statement that is being prepared was refused: the answer to the command that follows.
  var refusal: ServerFailure?
  /// What the server said as it ended the connection.
  var ending: String?
  /// An answer came that nobody waits for.
  var isBroken = false
  private var answeredCommands = 0

  init(_ round: Round) {
    commits = round.commits
    replies = Array(repeating: .skipped, count: round.commands.count)
  }

  mutating func answer(_ index: Int, _ reply: Reply) {
    replies[index] = reply
    answeredCommands += 1
  }

  /// All was answered but the end of the round.
  var isAnswered: Bool { answeredCommands == replies.count }

  /// COMMIT was sent, its answer did not come, and nothing before it failed.
  var isCommitInDoubt: Bool { commits && !isAnswered && !replies.contains { $0.failure != nil } }
}

extension ServerConnection {
  /// Hands a round to libpq, with all that must be prepared for it.
  func queue(_ round: Round) -> Bool {
    for (index, command) in round.commands.enumerated() {
      guard command.isPrepared ? queuePrepared(command, index) : queueOnce(command, index) else { return false }
    }
    return PQpipelineSync(handle) == 1
  }

  private func queuePrepared(_ command: Command, _ index: Int) -> Bool {
    let use = statements.use(command.sql, command.parameters)
    for name in use.forgotten {
      guard PQsendQueryParams(handle, "DEALLOCATE \(name)", 0, nil, nil, nil, nil, 1) == 1 else { return false }
      flight?.expected.append(.forgetting(name: name))
    }
    if let types = use.preparation {
      let sql = ServerDialect.numbered(command.sql)
      guard PQsendPrepare(handle, use.name, sql, CInt(types.count), types) == 1 else { return false }
      flight?.expected.append(.preparing(sql: command.sql, name: use.name))
    }
    flight?.expected.append(.command(index))
    return EncodedParameters(command.parameters).withArrays { count, values, lengths, formats in
      PQsendQueryPrepared(handle, use.name, count, values, lengths, formats, 1) == 1
    }
  }

  private func queueOnce(_ command: Command, _ index: Int) -> Bool {
    flight?.expected.append(.command(index))
    let types = command.parameters.map(\.serverType)
    return EncodedParameters(command.parameters).withArrays { count, values, lengths, formats in
      PQsendQueryParams(
        handle, ServerDialect.numbered(command.sql), count, types, values, lengths, formats, 1) == 1
    }
  }

  /// Takes what has come; true at the end of the round.
  func readReplies() -> Bool {
    while PQisBusy(handle) == 0 {
      guard let result = PQgetResult(handle) else {
        guard flight?.hasResult == true else {
          flight?.isBroken = PQstatus(handle) == CONNECTION_OK
          return flight?.isAnswered == true
        }
        flight?.hasResult = false
        flight?.answered += 1
        continue
      }
      defer { PQclear(result) }
      if PQresultStatus(result) == PGRES_PIPELINE_SYNC { return true }
      guard let flight, flight.answered < flight.expected.count else {
        noteEnding(result)
        self.flight?.isBroken = true
        return self.flight?.isAnswered == true
      }
      self.flight?.hasResult = true
      take(result, for: flight.expected[flight.answered])
      if self.flight?.ending != nil { return false }
    }
    return false
  }

  private func take(_ result: OpaquePointer, for expected: Flight.Expected) {
    let status = PQresultStatus(result)
    let failure = status == PGRES_FATAL_ERROR ? ServerFailure(result) : nil
    if let failure, failure.endsConnection || failure.state.isEmpty { return noteEnding(result) }
    switch expected {
    case .forgetting(let name): if status != PGRES_COMMAND_OK, failure == nil { statements.keep(name) }
    case .preparing(let sql, let name):
      if status != PGRES_COMMAND_OK { statements.remove(sql, name: name) }
      flight?.refusal = failure
    case .command(let index):
      let reply = reply(result, status, failure)
      flight?.answer(index, reply)
      flight?.refusal = nil
    }
  }

  private func reply(_ result: OpaquePointer, _ status: ExecStatusType, _ failure: ServerFailure?) -> Reply {
    if let failure { return .failed(failure) }
    switch status {
    case PGRES_COMMAND_OK: return .done(changes: Int(String(cString: PQcmdTuples(result))) ?? 0)
    case PGRES_TUPLES_OK:
      do throws(AnswerReader.UnknownType) { return .rows(try AnswerReader(result: result).rows()) } catch {
        let message = "column \(error.column) is of type number \(error.type), which is not shared: cast it"
        return .failed(ServerFailure(state: "0A001", message: message))
      }
    case PGRES_EMPTY_QUERY: return .failed(ServerFailure(state: "42601", message: "an empty statement"))
    default: return flight?.refusal.map { .failed($0) } ?? .skipped
    }
  }

  /// The server's last words.
  private func noteEnding(_ result: OpaquePointer) {
    let failure = ServerFailure(result)
    if !failure.message.isEmpty { flight?.ending = failure.message }
    flight?.isBroken = true
  }
}
