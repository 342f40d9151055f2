import Audit
import AuditProof
import Core
import Foundation
import MainstayTesting
import Signatures
import Storage
import StoragePostgres
import Testing

/// The audit log on PostgreSQL, with two replicas of a service on one database.
@Suite struct PostgresAuditTests {
  /// One replica: its connections, its lease, its sequencer of leaves.
  private struct Replica {
    let database: PostgresDatabase
    let log: AuditLog
    let sequencer: LeafSequencer
    let clock: TestClock

    init(_ name: String, _ location: PostgresLocation, key: SigningKey, clock: TestClock) async throws {
      var limits = PostgresLimits(connections: 6)
      // The machine may be busy with other tests.
      (limits.connectMilliseconds, limits.patienceMilliseconds) = (240_000, 240_000)
      database = try await PostgresDatabase.open(location, clock: clock, limits: limits)
      try await database.migrate([])
      _ = try await EventLog.open(database, random: SystemRandom())
      log = try await AuditLog.open(database, name: AuditStore.name, clock: clock, random: SystemRandom())
      let lease = PartitionLease(database: database, partition: 0, holder: name, clock: clock)
      sequencer = LeafSequencer(log: log, lease: lease, key: key, clock: clock)
      self.clock = clock
    }

    func add(_ count: Int, _ prefix: String) async throws {
      let events = (0..<count).map { number in
        OutboxEvent(
          eventID: EventID(clock: clock, random: SystemRandom()).description, aggregateID: "\(prefix)-\(number)",
          aggregateVersion: 1, type: "test.Changed", effectiveTime: clock.now(), recordedTime: clock.now(),
          actor: "tester", payload: Array(prefix.utf8))
      }
      try await database.commit(Batch(events: events), lane: .interactive)
    }
  }

  @Test func twoReplicasKeepOneLogWithoutAGapThatVerifies() async throws {
    let (location, clock) = (try await PostgresServer.shared.location(), TestClock())
    let key = try SigningKey(random: SystemRandom())
    let keys = [LogKey(name: AuditStore.name, publicKey: key.publicKey)]
    let first = try await Replica("one", location, key: key, clock: clock)
    let second = try await Replica("two", location, key: key, clock: clock)
    defer {
      first.database.close()
      second.database.close()
    }
    var notes: [String] = []
    for round in 0..<6 {
      try await withThrowingTaskGroup(of: Void.self) { group in
        for (name, replica) in [("a", first), ("b", second)] {
          group.addTask { for part in 0..<5 { try await replica.add(7, "\(round)\(name)\(part)") } }
          group.addTask { for _ in 0..<5 { _ = try await replica.sequencer.step() } }
        }
        try await group.waitForAll()
      }
      // The lease lapses, and whoever comes first has it.
      clock.advance(seconds: 6)
      let replica = round % 2 == 0 ? second : first
      while case .placed = try await replica.sequencer.step() {}
      notes.append(try #require(try await replica.log.newestNote()))
    }
    var verification = LogVerification(database: second.database)
    let report = try await verification.run(notes: notes, keys: keys)
    #expect(report.isSound && report.size == 421 && report.events == 420 && report.waiting == 0, "\(report.text)")
    let old = try Checkpoint(note: notes[0], keys: keys)
    let today = try Checkpoint(note: notes[5], keys: keys)
    let proof = try await ProofSource(database: first.database).consistency(first: old.size, second: today.size)
    #expect(
      ProofCheck.consistency(
        firstSize: old.size, firstRoot: old.root, secondSize: today.size, secondRoot: today.root, proof: proof))
    try await first.database.commit(
      Batch([Statement("UPDATE audit_leaf SET actor = 'x' WHERE position = 100")]), lane: .bulk)
    var again = LogVerification(database: second.database)
    #expect(try await again.run(notes: notes, keys: keys).firstBadPosition == 100)
  }

  @Test func aWitnessOnPostgreSQLKeepsGrowthAndRefusesAFork() async throws {
    let (location, clock) = (try await PostgresServer.shared.location(), TestClock())
    let key = try SigningKey(random: SystemRandom())
    let replica = try await Replica("one", location, key: key, clock: clock)
    defer { replica.database.close() }
    let witness = Witness(database: replica.database, clock: clock) {
      [LogKey(name: AuditStore.name, publicKey: key.publicKey)]
    }
    let proofs = ProofSource(database: replica.database)
    var seen: Int64 = 0
    for round in 0..<3 {
      try await replica.add(5, "r\(round)")
      while case .placed = try await replica.sequencer.step() {}
      let note = try #require(try await replica.log.newestNote())
      let size = try Checkpoint(unverified: note).size
      let proof = try await proofs.consistency(first: seen, second: size)
      #expect(try await witness.record(note: note, provenSize: seen, proof: proof) == .recorded(size: size))
      seen = size
      clock.advance(seconds: 3_000)
    }
    let fork = Checkpoint(
      name: AuditStore.name, epoch: replica.log.epoch, size: seen + 1, root: MerkleHasher().leaf([1]), time: clock.now()
    )
    await #expect(throws: (any Error).self) {
      try await witness.record(note: fork.note(signedBy: key), provenSize: seen, proof: [])
    }
    let kept = try await replica.database.row(Statement("SELECT count(*) FROM audit_refused"))
    #expect(try kept?.integer(0) == 1)
  }

  @Test func contentsAreDroppedOnPostgreSQLToo() async throws {
    let (location, clock) = (try await PostgresServer.shared.location(), TestClock())
    let key = try SigningKey(random: SystemRandom())
    let replica = try await Replica("one", location, key: key, clock: clock)
    defer { replica.database.close() }
    try await replica.add(20, "old")
    while case .placed = try await replica.sequencer.step() {}
    clock.advance(seconds: 200 * 24 * 3_600)
    try await replica.add(5, "new")
    while case .placed = try await replica.sequencer.step() {}
    let retention = LeafRetention(log: replica.log, days: 190, clock: clock, random: SystemRandom())
    #expect(try await retention.begin())
    #expect(try await retention.drop() == 21)
    while case .placed = try await replica.sequencer.step() {}
    var verification = LogVerification(database: replica.database)
    let report = try await verification.run(notes: [], keys: [LogKey(name: AuditStore.name, publicKey: key.publicKey)])
    #expect(report.isSound && report.dropped == 21 && report.size == 27, "\(report.text)")
  }

  @Test(.timeLimit(.minutes(20))) func aByteFlippedInTheServersFilesIsFound() async throws {
    let server = try await PostgresServer()
    defer { server.end() }
    let (location, folder) = (try server.location(schema: "audited"), try TemporaryFolder())
    let store = try await AuditStore(
      folder: folder, key: SigningKey(random: SystemRandom()), reopen: { try await AuditStore.open(location) })
    let scene = try await TamperingScene(store)
    let body = try await scene.open { database in
      try await database.row(Statement("SELECT body FROM audit_leaf WHERE position = 17"))?.blob(0) ?? []
    }
    let path = "\(server.folder)/data/" + (try await server.psql("SELECT pg_relation_filepath('audited.audit_leaf')"))
    try await server.psql("CHECKPOINT")
    try await server.stop()
    let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
    let content = try file.readToEnd() ?? Data()
    let place = try #require(content.range(of: Data(body))).lowerBound + body.count / 2
    try file.seek(toOffset: UInt64(place))
    try file.write(contentsOf: [content[place] ^ 16])
    try file.close()
    try await server.start()
    // The server's own checksums refuse the page; whoever made them fit too meets the tree.
    await #expect(throws: StorageError.self) { try await scene.verify() }
    try await server.psql("ALTER DATABASE postgres SET ignore_checksum_failure = on")
    let report = try await scene.verify()
    #expect(report.firstBadPosition == 17, "\(report.text)")
  }
}
