import Core
import Storage

/// Brings the schema up to date: takes the lock that keeps other replicas out, looks what is there, applies what is missing. One
/// transaction: all of it or nothing.
struct MigrationExchange: Exchange {
  let known: [Migration]
  let schema: String
  let path: String
  let time: Timestamp
  private var phase = Phase.looking

  private enum Phase: Sendable {
    case looking
    /// Whether no replica is at work, because of this migration.
    case clearing([Migration], because: Migration)
    case applying([String])
    case failed(any Error)
  }

  init(known: [Migration], schema: String, path: String, time: Timestamp) {
    (self.known, self.schema, self.path, self.time) = (known, schema, path, time)
  }

  /// Locks until COMMIT. The number says "Mainstay" to whoever looks at pg_locks; services in one database have a schema each.
  var first: Round {
    Round(
      commands: [
        Command("BEGIN", isPrepared: false),
        Command("SELECT pg_advisory_xact_lock(1296979796, hashtext(?))", [.text(schema)], isPrepared: false),
        Command("CREATE SCHEMA IF NOT EXISTS \(schema)", isPrepared: false),
        Command(ServerDialect.migration(MigrationPlan.table), isPrepared: false),
        Command(
          "SELECT component, version, checksum FROM schema_migration ORDER BY component, version", isPrepared: false),
      ])
  }

  mutating func next(after replies: [Reply]) -> ExchangeStep<Void> {
    switch phase {
    case .looking:
      if let failure = replies.compactMap(\.failure).first { return rollBack(error(failure, in: "the schema's table")) }
      guard case .rows(let rows) = replies.last else { return rollBack(StorageError.closed) }
      do { return try plan(rows) } catch { return rollBack(error) }
    case .clearing(let pending, let cause):
      if let failure = replies.compactMap(\.failure).first { return rollBack(error(failure, in: "the replicas' lock")) }
      guard case .rows(let rows) = replies.first, (try? rows.first?.integer(0)) == 1 else {
        return rollBack(MigrationError.othersAreAtWork(component: cause.component, version: cause.version))
      }
      return apply(pending)
    case .applying(let names):
      guard let index = replies.firstIndex(where: { $0.failure != nil }), let failure = replies[index].failure else {
        return .end(.success(()))
      }
      return rollBack(error(failure, in: names[index]))
    case .failed(let error): return .end(.failure(error))
    }
  }

  /// What contracts a schema that is in use waits for nobody: it is refused while a replica is at work.
  private mutating func plan(_ rows: [Row]) throws -> ExchangeStep<Void> {
    let applied = try rows.map {
      AppliedMigration(component: try $0.text(0), version: Int(try $0.integer(1)), checksum: try $0.text(2))
    }
    let pending = try MigrationPlan.pending(known: known, applied: applied, dialect: .postgresql)
    guard !applied.isEmpty, let cause = pending.first(where: { $0.effect == .contracts }) else { return apply(pending) }
    phase = .clearing(pending, because: cause)
    return .round(Round(commands: [Command("SELECT \(ReplicaLock.exclusively(schema))", isPrepared: false)]))
  }

  private mutating func apply(_ pending: [Migration]) -> ExchangeStep<Void> {
    var round = Round(commands: [])
    var names: [String] = []
    for migration in pending {
      for statement in migration.statements(for: .postgresql) {
        round.commands.append(Command(ServerDialect.migration(statement), isPrepared: false))
      }
      round.commands.append(
        Command(
          "INSERT INTO schema_migration (component, version, name, checksum, applied_time) VALUES (?, ?, ?, ?, ?)",
          [
            .text(migration.component), .integer(Int64(migration.version)), .text(migration.name),
            .text(migration.checksum(for: .postgresql)), .time(time),
          ], isPrepared: false))
      let name = "migration \(migration.version) of \(migration.component)"
      names += Array(repeating: name, count: round.commands.count - names.count)
    }
    round.commands.append(.commit)
    phase = .applying(names + ["the migration's commit"])
    return .round(round)
  }

  private func error(_ failure: ServerFailure, in place: String) -> any Error {
    let meaning = failure.storageError(path: path, milliseconds: 0)
    if case .invalidStatement(let detail) = meaning { return StorageError.invalidStatement("\(place): \(detail)") }
    if case .overloaded = meaning {
      return StorageError.cannotOpen(
        path: path, reason: "another replica has been changing the schema for long; wait for it, then start again")
    }
    return meaning
  }

  private mutating func rollBack(_ error: any Error) -> ExchangeStep<Void> {
    phase = .failed(error)
    return .round(Round(commands: [.rollBack]))
  }
}
