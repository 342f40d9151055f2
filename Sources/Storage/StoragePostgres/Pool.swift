import Storage

/// The connections of one kind, and what is known of the server from trying to open them. Lives on the driver's thread.
struct Pool {
  let role: ConnectionRole
  let maximum: Int
  var connections: [UInt64: ServerConnection] = [:]
  /// What runs on them.
  var running: [UInt64: (work: Work, attempt: Attempt)] = [:]
  /// Work that has lost its connection, or met others, and begins anew.
  var repeated: [Work] = []
  /// Why the last connection could not be opened; nil once one was.
  var failure: StorageError?
  /// No connection is opened before.
  var pauseEndNanoseconds: UInt64 = 0
  private var pauseMilliseconds = 0

  init(_ role: ConnectionRole, limits: PostgresLimits) {
    self.role = role
    maximum =
      switch role {
      case .write: limits.writeConnections
      case .point: limits.pointConnections
      case .scan: limits.scanConnections
      case .upkeep: 1
      }
  }

  /// One that can take work.
  var idle: ServerConnection? { connections.values.first { $0.isIdle } }
  /// Connections on their way to being open.
  var openingCount: Int { connections.values.count { $0.isOpening } }
  /// True when one was opened and is not lost.
  var isReachable: Bool { connections.values.contains { $0.isAlive && !$0.isOpening } }

  /// One was opened.
  mutating func noteOpened() { (failure, pauseMilliseconds, pauseEndNanoseconds) = (nil, 0, 0) }

  /// One could not be opened: the next attempt waits, each time longer.
  mutating func noteFailure(_ error: StorageError, _ limits: PostgresLimits, now: UInt64) {
    failure = error
    pauseMilliseconds =
      pauseMilliseconds == 0
      ? limits.firstBackoffMilliseconds : min(pauseMilliseconds * 2, limits.maximumBackoffMilliseconds)
    pauseEndNanoseconds = now + UInt64(pauseMilliseconds) * 1_000_000
  }
}
