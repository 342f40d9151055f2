import Audit
import AuditProof
import Core
import MainstayTesting
import Signatures
import Storage
import StoragePostgres
import StorageSQLite

/// The databases that an audit log may lie in.
enum AuditBackend: CaseIterable, Sendable {
  case sqlite, postgresql
}

/// A database with an audit log, and what gives its leaves their places.
struct AuditStore {
  let folder: TemporaryFolder
  let clock = TestClock()
  let database: any Database
  let log: AuditLog
  let lease: PartitionLease
  let key: SigningKey
  /// Opens the same place once more, after closing.
  let reopen: @Sendable () async throws -> any Database

  static let name = "mainstay/test"

  init(_ backend: AuditBackend = .sqlite, migrations: [Migration] = []) async throws {
    let folder = try TemporaryFolder()
    switch backend {
    case .sqlite: try await self.init(folder: folder, key: SigningKey(random: SystemRandom()), migrations: migrations)
    case .postgresql:
      let location = try await PostgresServer.shared.location()
      try await self.init(
        folder: folder, key: SigningKey(random: SystemRandom()), migrations: migrations,
        reopen: { try await AuditStore.open(location) })
    }
  }

  init(folder: TemporaryFolder, key: SigningKey, migrations: [Migration] = []) async throws {
    try await self.init(
      folder: folder, key: key, migrations: migrations,
      reopen: { try SQLiteDatabase(path: folder.file("store.db"), clock: SystemClock()) })
  }

  init(
    folder: TemporaryFolder, key: SigningKey, migrations: [Migration] = [],
    reopen: @escaping @Sendable () async throws -> any Database
  ) async throws {
    (self.folder, self.key, self.reopen) = (folder, key, reopen)
    database = try await reopen()
    try await database.migrate(migrations)
    _ = try await EventLog.open(database, random: SystemRandom())
    log = try await AuditLog.open(database, name: Self.name, clock: clock, random: SystemRandom())
    lease = PartitionLease(database: database, partition: 0, holder: "one", clock: clock)
  }

  /// Connections to a place on a server, patient since the machine may be busy with other tests.
  static func open(_ location: PostgresLocation) async throws -> PostgresDatabase {
    var limits = PostgresLimits(connections: 6)
    (limits.connectMilliseconds, limits.patienceMilliseconds) = (240_000, 240_000)
    return try await PostgresDatabase.open(location, clock: SystemClock(), limits: limits)
  }

  var path: String { folder.file("store.db") }
  var keys: [LogKey] { [LogKey(name: Self.name, publicKey: key.publicKey)] }
  var sequencer: LeafSequencer { LeafSequencer(log: log, lease: lease, key: key, clock: clock) }
  var proofs: ProofSource { ProofSource(database: database) }

  func event(_ aggregate: String, _ version: Int64, payload: [UInt8]? = nil) -> OutboxEvent {
    OutboxEvent(
      eventID: EventID(clock: clock, random: SystemRandom()).description, aggregateID: aggregate,
      aggregateVersion: version, type: "test.Changed", effectiveTime: clock.now(), recordedTime: clock.now(),
      actor: "tester", payload: payload ?? Array("\(aggregate)@\(version)".utf8),
      origin: ChangeOrigin(method: "/test.Service/Change", callingService: "gateway"))
  }

  /// So many events of one aggregate each, committed together.
  func add(_ count: Int, prefix: String = "a") async throws {
    guard count > 0 else { return }
    try await database.commit(Batch(events: (0..<count).map { event("\(prefix)\($0)", 1) }), lane: .bulk)
  }

  func verify(_ notes: [String] = []) async throws -> VerificationReport {
    var verification = LogVerification(database: database)
    return try await verification.run(notes: notes, keys: keys)
  }

  /// Places all that waits.
  func place() async throws { while case .placed = try await sequencer.step() {} }

  /// Bodies of all leaves that have places, in order.
  func bodies() async throws -> [[UInt8]] {
    var bodies: [[UInt8]] = []
    while true {
      let rows = try await database.query(
        Statement(
          "SELECT body FROM audit_leaf WHERE position >= ? ORDER BY position LIMIT 4096",
          [.integer(Int64(bodies.count))]),
        access: .scan)
      if rows.isEmpty { return bodies }
      bodies += try rows.map { try $0.blob(0) }
    }
  }

  func number(_ sql: String) async throws -> Int64 {
    try await database.row(Statement(sql), access: .scan)?.integer(0) ?? -1
  }
}
