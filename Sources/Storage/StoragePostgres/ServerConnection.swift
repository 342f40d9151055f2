import CPostgres
import Glibc
import Storage

/// What a connection is for, which decides how long its statements may run.
enum ConnectionRole: CaseIterable, Sendable {
  case write
  case point
  case scan
  /// Changes of the schema.
  case upkeep
}

/// One connection to the server, driven by readiness of its socket: it is opened, asks the server how it is set, and then carries one
/// round at a time. Lives on the driver's thread.
final class ServerConnection {
  /// What has happened at the last call.
  enum Event {
    case nothing
    /// It can take a round.
    case ready
    /// The round is answered.
    case replies([Reply])
    /// It is of no use any more. The round in flight, if it held COMMIT, may or may not have been committed.
    case lost(reason: String, isCommitInDoubt: Bool)
    /// The server may not be used as it is set.
    case refused(StorageError)
  }

  private enum Phase {
    case connecting
    case checking
    case open
    case closed
  }

  let number: UInt64
  let role: ConnectionRole
  /// When it was begun, or its last round was sent.
  var sinceNanoseconds: UInt64
  let location: PostgresLocation
  let handle: OpaquePointer
  var statements: ServerStatements
  var flight: Flight?
  private var phase = Phase.connecting
  private let poller: Poller
  private var watched: CInt = -1
  /// Whether the socket is watched for room to write; nil when it is not known what it is watched for.
  private var watchesRoom: Bool?

  /// Begins to connect.
  init?(
    number: UInt64, role: ConnectionRole, location: PostgresLocation, limits: PostgresLimits, poller: Poller,
    now: UInt64
  ) {
    (self.number, self.role, self.location, self.poller) = (number, role, location, poller)
    sinceNanoseconds = now
    statements = ServerStatements(limit: limits.cachedStatements)
    let parameters = location.parameters.merging(
      ["client_encoding": "UTF8", "options": ServerConnection.options(role, location, limits)]) { _, ours in ours }
    let opened = ServerConnection.withCStrings(parameters) { PQconnectStartParams($0, $1, 0) }
    guard let opened else { return nil }
    handle = opened
    mainstay_postgres_without_notices(handle)
  }

  deinit { close() }

  /// True between opening and `ready`.
  var isOpening: Bool { phase == .connecting || phase == .checking }
  /// True while it can take a round.
  var isIdle: Bool { phase == .open && flight == nil }
  /// False when it was lost.
  var isAlive: Bool { phase != .closed }

  /// Watches the socket of a connection that has just begun; `.lost` if it cannot even begin.
  func start() -> Event {
    guard PQstatus(handle) != CONNECTION_BAD else { return lose() }
    watch(reading: true, writing: true)
    return .nothing
  }

  /// The socket can be read or written.
  func proceed() -> Event {
    switch phase {
    case .connecting: return connect()
    case .checking: return check(carryOn())
    case .open: return carryOn()
    case .closed: return .nothing
    }
  }

  /// Sends a round; the connection must be idle.
  func send(_ round: Round, now: UInt64) -> Event {
    sinceNanoseconds = now
    flight = Flight(round)
    guard queue(round) else { return lose() }
    // The answer comes later: looking for it now would find nothing, unless the server has said why it takes no more.
    let isWritten = PQflush(handle)
    guard isWritten >= 0 else { return carryOn() }
    watch(reading: true, writing: isWritten == 1)
    return .nothing
  }

  /// Ends the connection at once; the server notices.
  func close() {
    guard phase != .closed else { return }
    phase = .closed
    if watched >= 0 { poller.forget(watched) }
    PQfinish(handle)
  }

  private func connect() -> Event {
    let progress = PQconnectPoll(handle)
    switch progress {
    case PGRES_POLLING_READING: watch(reading: true, writing: false)
    case PGRES_POLLING_WRITING: watch(reading: false, writing: true)
    case PGRES_POLLING_OK:
      guard PQsetnonblocking(handle, 1) == 0, PQenterPipelineMode(handle) == 1 else { return lose() }
      phase = .checking
      watchesRoom = nil
      return check(send(ServerSettings.question(role, schema: location.schema), now: sinceNanoseconds))
    default: return lose()
    }
    return .nothing
  }

  /// Looks at the answer about the server's settings, if that is what has come.
  private func check(_ event: Event) -> Event {
    guard case .replies(let replies) = event else { return event }
    if let refusal = ServerSettings.refusal(replies, path: location.description) {
      close()
      return .refused(refusal)
    }
    phase = .open
    return .ready
  }

  /// Writes what can be written, reads what is there.
  private func carryOn() -> Event {
    let isWritten = PQflush(handle)
    let isRead = PQconsumeInput(handle) == 1
    // What came before the connection broke counts: it may be the answer to COMMIT.
    if flight != nil, readReplies(), let replies = flight?.replies {
      flight = nil
      if PQstatus(handle) == CONNECTION_BAD { close() }
      return .replies(replies)
    }
    guard isRead, isWritten >= 0, PQstatus(handle) != CONNECTION_BAD, flight?.isBroken != true else { return lose() }
    watch(reading: true, writing: isWritten == 1)
    return .nothing
  }

  /// Nothing more can be had from it.
  func lose() -> Event {
    let text = String(cString: PQerrorMessage(handle))
    let reason = text.split(whereSeparator: \.isNewline).joined(separator: "; ")
    let (isCommitInDoubt, said) = (flight?.isCommitInDoubt ?? false, flight?.ending)
    flight = nil
    close()
    return .lost(reason: said ?? (reason.isEmpty ? "no reply" : reason), isCommitInDoubt: isCommitInDoubt)
  }

  /// While it connects libpq may change the socket; afterwards it stays, and is told of only what changes.
  private func watch(reading: Bool, writing: Bool) {
    if phase != .connecting, watchesRoom == writing { return }
    watched = PQsocket(handle)
    watchesRoom = writing
    poller.watch(watched, number: number, reading: reading, writing: writing)
  }

  /// Settings of the session, sent with the very first message.
  private static func options(
    _ role: ConnectionRole, _ location: PostgresLocation, _ limits: PostgresLimits
  ) -> String {
    let milliseconds =
      switch role {
      case .write: limits.writeMilliseconds
      case .point: limits.pointMilliseconds
      case .scan: limits.scanMilliseconds
      case .upkeep: 0
      }
    var settings = [
      "search_path=\(location.schema)", "default_transaction_isolation=read\\ committed",
      "statement_timeout=\(milliseconds)",
      "idle_in_transaction_session_timeout=\(limits.silentTransactionMilliseconds)",
      "client_connection_check_interval=\(limits.lostClientMilliseconds)",
    ]
    switch role {
    case .point, .scan: settings.append("default_transaction_read_only=on")
    case .upkeep: settings.append("lock_timeout=\(limits.migrationLockMilliseconds)")
    case .write: break
    }
    // What goes by key must go by index. The server keeps its plan for a statement until it has new statistics: one that was made while
    // the table was small would read all of it for as long. And compiling a statement pays only where much is read.
    if role == .point || role == .write { settings += ["enable_seqscan=off", "jit=off"] }
    return settings.map { "-c \($0)" }.joined(separator: " ")
  }

  /// Keywords and values as libpq takes them, each list ended by NULL.
  private static func withCStrings<Result>(
    _ parameters: [String: String],
    _ body: (UnsafePointer<UnsafePointer<CChar>?>, UnsafePointer<UnsafePointer<CChar>?>) -> Result
  ) -> Result {
    let pairs = parameters.map { (strdup($0.key), strdup($0.value)) }
    defer {
      for (keyword, value) in pairs {
        free(keyword)
        free(value)
      }
    }
    return body(
      pairs.map { $0.0.map { UnsafePointer($0) } } + [nil], pairs.map { $0.1.map { UnsafePointer($0) } } + [nil])
  }
}
