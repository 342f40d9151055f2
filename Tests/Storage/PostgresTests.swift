import Core
import MainstayTesting
import Storage
import StoragePostgres
import Testing

/// What only a database on a server can meet. Tests that harm the server have one of their own.
@Suite struct PostgresTests {
  /// Opens a place and makes the tables.
  private func open(
    _ location: PostgresLocation, _ change: (inout PostgresLimits) -> Void = { _ in }
  ) async throws -> PostgresDatabase {
    var limits = PostgresLimits(connections: 6)
    (limits.connectMilliseconds, limits.patienceMilliseconds) = (240_000, 240_000)
    change(&limits)
    let database = try await PostgresDatabase.open(location, clock: ManualClock(), limits: limits)
    try await database.migrate([TestStore.migration])
    return database
  }

  private func request(_ note: String, request: String) -> Batch {
    Batch(
      [insertNote(note)],
      idempotency: IdempotencyRecord(
        caller: "c", method: "m", requestID: request, requestHash: [1], reply: Array(note.utf8),
        createTime: ManualClock().now()))
  }

  private func notes(_ database: PostgresDatabase) async throws -> [String] {
    try await database.query(Statement("SELECT id FROM note ORDER BY id"), access: .scan).map { try $0.text(0) }
  }

  // MARK: How statements are run

  @Test func aStatementByKeyGoesByIndexHoweverSmallItsTableIs() async throws {
    let server = try await PostgresServer.shared
    let location = try server.location()
    let database = try await open(location)
    try await database.commit(Batch([insertNote("a"), insertNote("b")]), lane: .interactive)
    // Once it knows how small the table is the server would read it as a whole, and keep to that plan while it grows.
    try await server.psql("ANALYZE \(location.schema).note")
    let counted = Statement(
      """
      INSERT INTO note (id, body, version) SELECT 'scans', CAST(seq_scan AS text), 1 FROM pg_stat_xact_user_tables
      WHERE relid = CAST('note' AS regclass)
      """)
    try await database.commit(
      Batch([Statement("UPDATE note SET version = 2 WHERE id = ?", [.text("a")]), counted]), lane: .interactive)
    let scans = try await database.row(Statement("SELECT body FROM note WHERE id = 'scans'"))
    #expect(try scans?.text(0) == "0")
    let setting = Statement("SELECT setting FROM pg_settings WHERE name = 'enable_seqscan'")
    #expect(try await database.query(setting, access: .point).first?.text(0) == "off")
    #expect(try await database.query(setting, access: .scan).first?.text(0) == "on")
  }

  // MARK: Which servers are taken

  @Test(arguments: ["fsync", "full_page_writes", "synchronous_commit"])
  func aServerThatWouldLoseWhatItAcknowledgesIsRefused(_ setting: String) async throws {
    var options = PostgresServer.Options()
    options.settings = ["\(setting) = off"]
    let server = try await PostgresServer(options)
    let error = await #expect(throws: StorageError.self) { try await open(try server.location()) }
    guard case .cannotOpen(_, let reason) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(reason.contains("\(setting) = off"))
  }

  @Test func aServerThatIsSetWronglyLaterIsRefusedAtTheNextConnection() async throws {
    let server = try await PostgresServer()
    let database = try await open(try server.location())
    try await server.psql("ALTER ROLE mainstay SET synchronous_commit = off")
    try await server.psql(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    let error = await #expect(throws: StorageError.self) {
      // The first one may still find a connection that has not noticed its end.
      for number in 0..<3 { try await database.commit(Batch([insertNote("n\(number)")]), lane: .interactive) }
    }
    guard case .cannotOpen = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    try await server.psql("ALTER ROLE mainstay RESET synchronous_commit")
    try await database.commit(Batch([insertNote("again")]), lane: .interactive)
    database.close()
  }

  @Test func aDatabaseOfAnotherEncodingIsRefused() async throws {
    let server = try await PostgresServer.shared
    let name = "latin_\(server.freshSchema())"
    try await server.psql("CREATE DATABASE \(name) ENCODING 'LATIN1' TEMPLATE template0")
    let error = await #expect(throws: StorageError.self) { try await open(try server.location(database: name)) }
    guard case .cannotOpen(_, let reason) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(reason.contains("LATIN1"))
  }

  @Test func aServerThatIsNotThereIsSaidWithItsPlace() async throws {
    let server = try await PostgresServer.shared
    let folder = TemporaryFolder()
    let uri = server.uri(host: folder.path)
    let location = try PostgresLocation(uri: uri, schema: "none", application: "mainstay-test")
    let error = await #expect(throws: StorageError.self) { try await open(location) { $0.patienceMilliseconds = 200 } }
    guard case .unreachable(let path, _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(path.contains(folder.path))
    let missing = try server.location(database: "nowhere")
    let other = await #expect(throws: StorageError.self) { try await open(missing) { $0.patienceMilliseconds = 200 } }
    #expect(other?.description.contains("\"nowhere\" does not exist") == true)
  }

  @Test func aPasswordComesFromAFileForTheOwnerAlone() async throws {
    var options = PostgresServer.Options()
    options.authentication = "scram-sha-256"
    let server = try await PostgresServer(options)
    let folder = try MainstayTesting.TemporaryFolder()
    let file = try folder.write("password", "mainstay\n")
    let database = try await open(try server.location(passwordFile: file))
    database.close()
    let wrong = try server.location(passwordFile: try folder.write("wrong", "secret-word"))
    let error = await #expect(throws: StorageError.self) { try await open(wrong) { $0.patienceMilliseconds = 200 } }
    #expect(error?.description.contains("password") == true)
    #expect(error?.description.contains("secret-word") == false)
    _ = try await Program.run("/bin/chmod", ["0640", file])
    let refused = #expect(throws: PostgresLocation.Invalid.self) { try server.location(passwordFile: file) }
    #expect(refused?.description.contains("chmod 0600") == true)
  }

  @Test(arguments: [
    "postgresql://ann:secret@host/name", "host=here password=secret", "postgresql://host/?options=-cfsync%3Doff",
    "sqlite:x",
  ])
  func aConnectionStringWithASecretOrWithoutSenseIsRefusedWithoutShowingIt(_ uri: String) {
    let error = #expect(throws: PostgresLocation.Invalid.self) {
      try PostgresLocation(uri: uri, schema: "s", application: "mainstay-test")
    }
    #expect(error?.description.contains("secret") == false)
  }

  @Test func theServersNameIsVerifiedWhereTheStringAsksForIt() async throws {
    let authority = try TestAuthority()
    var options = PostgresServer.Options()
    let port = try freePort()
    options.port = port
    let server = try await PostgresServer(options)
    let identity = try authority.issue("database", role: "service")
    try await server.useCertificate(
      chain: try #require(identity.certificateChainPath), key: try #require(identity.privateKeyPath))
    let right =
      "postgresql://mainstay@localhost:\(port)/postgres?sslmode=verify-full&sslrootcert=\(authority.certificatePath)"
    let database = try await open(try PostgresLocation(uri: right, schema: "t", application: "mainstay-test"))
    let row = try await database.row(Statement("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"))
    #expect(try row?.integer(0) == 1)
    database.close()
    let other = try TestAuthority()
    let wrong =
      "postgresql://mainstay@localhost:\(port)/postgres?sslmode=verify-full&sslrootcert=\(other.certificatePath)"
    let location = try PostgresLocation(uri: wrong, schema: "t", application: "mainstay-test")
    let error = await #expect(throws: StorageError.self) { try await open(location) { $0.patienceMilliseconds = 200 } }
    #expect(error?.description.contains("SSL error") == true)
  }

  // MARK: What happens to connections

  @Test func connectionsAreBounded() async throws {
    let server = try await PostgresServer.shared
    let location = try PostgresLocation(
      uri: server.uri(), schema: server.freshSchema(), application: "mainstay-bounded")
    let database = try await open(location) { $0 = PostgresLimits(connections: 4) }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in 0..<200 {
        group.addTask { try await database.commit(Batch([insertNote("n\(number)")]), lane: .interactive) }
      }
      try await group.waitForAll()
    }
    let count = try await server.psql(
      "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'mainstay-bounded'")
    #expect(try #require(Int(count)) <= 5)
    database.close()
  }

  @Test func aConnectionThatTheServerEndsIsReplaced() async throws {
    let server = try await PostgresServer.shared
    let location = try PostgresLocation(uri: server.uri(), schema: server.freshSchema(), application: "mainstay-ended")
    let database = try await open(location)
    for number in 0..<5 {
      try await server.psql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'mainstay-ended'")
      // With a precondition, so that COMMIT is not under way when the loss is noticed.
      try await database.commit(
        Batch([
          Statement(
            "INSERT INTO note (id, body, version) VALUES (?, '', 1)", [.text("n\(number)")],
            expect: .changes(1, orFail: BatchConflict(.notFound, subject: "n")))
        ]), lane: .interactive)
      #expect(try await notes(database).count == number + 1)
    }
    database.close()
  }

  /// Waits until a statement of the schema waits for a lock, and ends its connection.
  private func endWaitingConnection(_ server: PostgresServer, _ application: String) async throws {
    while true {
      let ended = try await server.psql(
        """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name = '\(application)' AND wait_event_type = 'Lock'
        """)
      if ended.contains("t") { return }
    }
  }

  @Test(.timeLimit(.minutes(10))) func aBatchThatLosesItsConnectionBeforeCommitRunsAgain() async throws {
    let server = try await PostgresServer.shared
    let location = try PostgresLocation(uri: server.uri(), schema: server.freshSchema(), application: "mainstay-again")
    let database = try await open(location)
    try await database.commit(Batch([insertNote("a")]), lane: .interactive)
    let lock = try Lock(server, "\(location.schema).note")
    try await lock.taken()
    async let written: BatchReceipt = database.commit(
      Batch([updateNote("a", body: "b", version: 1)]), lane: .interactive)
    try await endWaitingConnection(server, "mainstay-again")
    try await lock.release()
    let receipt = try await written
    #expect(receipt.changes == [1])
    let row = try await database.row(Statement("SELECT version FROM note"))
    #expect(try row?.integer(0) == 2)
    database.close()
  }

  @Test(.timeLimit(.minutes(10))) func whoCannotKnowWhetherItWasCommittedSaysSo() async throws {
    let server = try await PostgresServer.shared
    let location = try PostgresLocation(uri: server.uri(), schema: server.freshSchema(), application: "mainstay-doubt")
    let database = try await open(location)
    let lock = try Lock(server, "\(location.schema).note")
    try await lock.taken()
    async let written: BatchReceipt = database.commit(Batch([insertNote("a")]), lane: .interactive)
    async let settled = IdempotencyStore(database: database).commit(request("b", request: "r"), lane: .interactive)
    try await endWaitingConnection(server, "mainstay-doubt")
    try await endWaitingConnection(server, "mainstay-doubt")
    try await lock.release()
    do {
      _ = try await written
      Issue.record("committed, though its connection was lost")
    } catch { #expect(error as? StorageError == .unknownOutcome(path: location.description)) }
    _ = try await settled
    #expect(try await notes(database) == ["b"])
    database.close()
  }

  @Test(arguments: CuttingProxy.Cut.allCases)
  func anUnknownOutcomeIsSettledByTheRequest(_ cut: CuttingProxy.Cut) async throws {
    let server = try await PostgresServer.shared
    let proxy = CuttingProxy(folder: server.folder)
    defer { proxy.close() }
    let location = try PostgresLocation(
      uri: server.uri(host: proxy.folder.path), schema: server.freshSchema(), application: "mainstay-cut")
    let database = try await open(location)
    let answers = IdempotencyStore(database: database)
    for round in 0..<10 {
      proxy.arm(cut)
      let batch = request("n\(round)", request: "r\(round)")
      switch try await answers.commit(batch, lane: .interactive) {
      case .committed: #expect(cut != .afterCommit)
      case .repeated(let reply):
        #expect(cut != .beforeCommit)
        #expect(reply == Array("n\(round)".utf8))
      }
      #expect(proxy.cuts == round + 1)
    }
    #expect(try await notes(database).count == 10)
    proxy.arm(cut)
    await #expect(throws: StorageError.unknownOutcome(path: location.description)) {
      try await database.commit(Batch([insertNote("last")]), lane: .interactive)
    }
    if cut != .atCommit { #expect(try await notes(database).contains("last") == (cut == .afterCommit)) }
    database.close()
  }

  @Test(.timeLimit(.minutes(10))) func aRestartOfTheServerIsSurvived() async throws {
    let server = try await PostgresServer()
    let database = try await open(try server.location()) { $0.patienceMilliseconds = 120_000 }
    try await database.commit(Batch([insertNote("a")]), lane: .interactive)
    try await server.stop()
    // Waits for the server.
    async let waiting = IdempotencyStore(database: database).commit(request("b", request: "r"), lane: .interactive)
    try await server.start()
    _ = try await waiting
    #expect(try await notes(database) == ["a", "b"])
    database.close()
  }

  @Test(.timeLimit(.minutes(10))) func aServerThatStaysAwayFailsCallsAfterAWhile() async throws {
    let server = try await PostgresServer()
    let database = try await open(try server.location()) { $0.patienceMilliseconds = 300 }
    try await server.stop()
    for _ in 0..<2 {
      let error = await #expect(throws: StorageError.self) {
        try await IdempotencyStore(database: database).commit(request("b", request: "r"), lane: .interactive)
      }
      guard case .unreachable = error else {
        Issue.record("\(String(describing: error))")
        return
      }
    }
    let read = await #expect(throws: StorageError.self) { try await notes(database) }
    guard case .unreachable = read else {
      Issue.record("\(String(describing: read))")
      return
    }
    try await server.start()
    #expect(try await notes(database) == [])
    database.close()
  }

  @Test(.timeLimit(.minutes(10))) func aServerThatIsKilledLosesAndDoublesNothing() async throws {
    let server = try await PostgresServer()
    let database = try await open(try server.location()) { $0.patienceMilliseconds = 120_000 }
    let answers = IdempotencyStore(database: database)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for writer in 0..<8 {
        group.addTask {
          for number in 0..<60 {
            let name = "w\(writer)-\(number)"
            _ = try await answers.commit(request(name, request: name), lane: .interactive)
          }
        }
      }
      for _ in 0..<3 {
        try await server.kill()
        try await server.start()
      }
      try await group.waitForAll()
    }
    #expect(try await notes(database).count == 8 * 60)
    database.close()
  }

  // MARK: What happens to statements

  @Test func aStatementWhoseAnswerHasChangedItsShapeIsPreparedAnew() async throws {
    let server = try await PostgresServer.shared
    let location = try server.location()
    let database = try await open(location)
    try await database.commit(Batch([insertNote("a")]), lane: .interactive)
    let all = Statement("SELECT * FROM note")
    #expect(try await database.row(all)?.count == 3)
    try await server.psql("ALTER TABLE \(location.schema).note ADD COLUMN colour TEXT")
    #expect(try await database.row(all)?.count == 4)
    database.close()
  }

  @Test func aQueryThatRunsAwayIsStoppedByTheServer() async throws {
    let server = try await PostgresServer.shared
    let database = try await open(try server.location()) {
      $0.pointMilliseconds = 100
      $0.scanMilliseconds = 200
      $0.writeMilliseconds = 150
    }
    let sleeping = Statement("SELECT pg_sleep(100)")
    await #expect(throws: StorageError.timedOut(milliseconds: 100)) {
      try await database.query(sleeping, access: .point)
    }
    await #expect(throws: StorageError.timedOut(milliseconds: 200)) {
      try await database.query(sleeping, access: .scan)
    }
    await #expect(throws: StorageError.timedOut(milliseconds: 150)) {
      try await database.commit(Batch([sleeping]), lane: .interactive)
    }
    #expect(try await notes(database) == [])
    database.close()
  }

  @Test(.timeLimit(.minutes(10))) func aScanThatIsGivenUpEndsOnTheServerToo() async throws {
    let server = try await PostgresServer.shared
    let location = try PostgresLocation(
      uri: server.uri(), schema: server.freshSchema(), application: "mainstay-given-up")
    let database = try await open(location)
    let active =
      "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'mainstay-given-up' AND state = 'active'"
    await withTaskGroup(of: Void.self) { group in
      group.addTask { _ = try? await database.query(Statement("SELECT pg_sleep(10000)"), access: .scan) }
      while (try? await server.psql(active)) != "1" {}
      group.cancelAll()
    }
    while try await server.psql(active) != "0" {}
    database.close()
  }

  @Test func aServerThatMayNotBeWrittenSaysSo() async throws {
    let server = try await PostgresServer.shared
    let name = "readonly_\(server.freshSchema())"
    try await server.psql("CREATE DATABASE \(name)")
    let location = try server.location(database: name)
    try await open(location).close()
    try await server.psql("ALTER DATABASE \(name) SET default_transaction_read_only = on")
    let database = try await PostgresDatabase.open(location, clock: ManualClock())
    await #expect(throws: StorageError.readOnly(path: location.description)) {
      try await database.commit(Batch([insertNote("a")]), lane: .interactive)
    }
    database.close()
  }

  @Test func replicasThatStartTogetherMakeTheSchemaOnce() async throws {
    let location = try await PostgresServer.shared.location()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<6 { group.addTask { try await open(location).close() } }
      try await group.waitForAll()
    }
    let database = try await open(location)
    let count = try await database.row(Statement("SELECT count(*) FROM schema_migration"))
    #expect(try count?.integer(0) == Int64(StorageSchema.migrations.count + 1))
    database.close()
  }

  @Test func aSchemaIsContractedOnlyWhenNoReplicaIsAtWork() async throws {
    let location = try await PostgresServer.shared.location()
    let old = try await open(location)
    try await old.commit(Batch([insertNote("a")]), lane: .interactive)
    let expansion = Migration(
      version: 2, name: "colour", statements: ["ALTER TABLE note ADD COLUMN colour TEXT"], effect: .expands)
    let contraction = Migration(version: 3, name: "no colour", statements: ["ALTER TABLE note DROP COLUMN colour"])
    let next = try await open(location)
    try await next.migrate([TestStore.migration, expansion])
    try await old.commit(Batch([insertNote("b")]), lane: .interactive)
    let refusal = await #expect(throws: MigrationError.othersAreAtWork(component: "service", version: 3)) {
      try await next.migrate([TestStore.migration, expansion, contraction])
    }
    #expect(refusal?.description.contains("stop all of them") == true)
    #expect(try await notes(old) == ["a", "b"])
    old.close()
    // The server needs a moment to see that a connection has ended.
    let isDone = await eventually {
      (try? await next.migrate([TestStore.migration, expansion, contraction])) != nil
    }
    #expect(isDone)
    try await next.commit(Batch([insertNote("c")]), lane: .interactive)
    next.close()
    await #expect(throws: MigrationError.databaseIsNewer(component: "service", version: 3)) { try await open(location) }
  }

  @Test func servicesInOneDatabaseDoNotSeeEachOther() async throws {
    let server = try await PostgresServer.shared
    let (one, two) = (try await open(try server.location()), try await open(try server.location()))
    try await one.commit(Batch([insertNote("a")]), lane: .interactive)
    #expect(try await notes(two) == [])
    one.close()
    two.close()
  }

  @Test func aMigrationSaysWhatTheServerDoesNotTake() async throws {
    let database = try await open(try await PostgresServer.shared.location())
    let broken = Migration(
      version: 2, name: "broken", statements: ["CREATE TABLE half (id INTEGER) STRICT", "CREATE NONSENSE"])
    let error = await #expect(throws: StorageError.self) { try await database.migrate([TestStore.migration, broken]) }
    #expect(error?.description.contains("migration 2 of service") == true)
    await #expect(throws: StorageError.self) { try await database.row(Statement("SELECT count(*) FROM half")) }
    database.close()
  }
}

/// Somebody else who holds a table.
private struct Lock {
  private let server: PostgresServer
  private let table: String
  private let holder: Program.Running

  init(_ server: PostgresServer, _ table: String) throws {
    (self.server, self.table) = (server, table)
    holder = try server.psqlRunning("BEGIN; LOCK TABLE \(table) IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(10000)")
  }

  private var pid: String {
    "SELECT pid FROM pg_locks WHERE relation = '\(table)'::regclass AND mode = 'AccessExclusiveLock' AND granted"
  }

  func taken() async throws { while try await server.psql(pid).isEmpty {} }

  func release() async throws {
    try await server.psql("SELECT pg_terminate_backend(pid) FROM (\(pid)) AS holder")
    _ = try await holder.result()
  }
}
