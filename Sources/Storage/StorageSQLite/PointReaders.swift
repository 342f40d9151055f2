import Storage

/// Connections for point queries, which run on the caller's thread: as many as threads ask at the same time.
final class PointReaders: Sendable {
  private struct State: Sendable {
    var idle: [Connection] = []
    var opened = 0
    var isClosed = false
  }

  private let state = Monitor(State())
  private let path: String
  private let limits: SQLiteLimits

  init(path: String, limits: SQLiteLimits) {
    self.path = path
    self.limits = limits
  }

  /// Runs a query on a connection of its own.
  func query(_ statement: Statement) throws -> [Row] {
    let connection = try take()
    defer { giveBack(connection) }
    return try connection.query(statement, limits: QueryLimits(steps: limits.pointSteps, rows: limits.pointRows))
  }

  /// Closes the idle connections; those in use are closed when their query ends.
  func close() {
    state.withLock { state in
      state.isClosed = true
      state.idle = []
    }
  }

  private func take() throws -> Connection {
    let idle: Connection? = try state.withLock { state in
      if state.isClosed { throw StorageError.closed }
      if let connection = state.idle.popLast() { return connection }
      guard state.opened < limits.pointConnections else {
        throw StorageError.overloaded(queue: "point queries", limit: limits.pointConnections)
      }
      state.opened += 1
      return nil
    }
    if let idle { return idle }
    do { return try Connection(path: path, role: .reader, limits: limits) } catch {
      state.withLock { $0.opened -= 1 }
      throw error
    }
  }

  private func giveBack(_ connection: Connection) {
    state.withLock { if !$0.isClosed { $0.idle.append(connection) } }
  }
}
