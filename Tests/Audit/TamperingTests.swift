import Audit
import AuditProof
import Core
import Foundation
import MainstayTesting
import Signatures
import Storage
import StorageSQLite
import Testing

/// A closed database with some leaves and their checkpoints from outside, for somebody who owns the machine to alter.
struct TamperingScene {
  let folder: TemporaryFolder
  let key: SigningKey
  let keys: [LogKey]
  let reopen: @Sendable () async throws -> any Database
  var exported: [String] = []
  var path: String { folder.file("store.db") }

  /// 40 leaves in three steps, or so many.
  init(_ backend: AuditBackend = .sqlite, steps: [Int] = [5, 12, 22]) async throws {
    try await self.init(try await AuditStore(backend), steps: steps)
  }

  init(_ store: AuditStore, steps: [Int] = [5, 12, 22]) async throws {
    (folder, key, keys, reopen) = (store.folder, store.key, store.keys, store.reopen)
    for (round, count) in steps.enumerated() {
      try await store.add(count, prefix: "r\(round)-")
      try await store.place()
      exported.append(try #require(try await store.log.newestNote()))
    }
    store.database.close()
  }

  /// Opens the database, lets something happen with it, and closes it.
  func open<Value>(_ body: (any Database) async throws -> Value) async throws -> Value {
    let database = try await reopen()
    defer { database.close() }
    return try await body(database)
  }

  func alter(_ statements: String...) async throws {
    try await open { try await $0.commit(Batch(statements.map { Statement($0) }), lane: .bulk) }
  }

  func verify(_ notes: [String]? = nil) async throws -> VerificationReport {
    try await open { database in
      var verification = LogVerification(database: database)
      return try await verification.run(notes: notes ?? exported, keys: keys)
    }
  }
}

extension TamperingScene {
  /// By what the database itself holds, without a key for its checkpoints.
  func verifyAlone() async throws -> VerificationReport {
    try await open { database in
      var verification = LogVerification(database: database)
      return try await verification.run(notes: [], keys: [])
    }
  }
}

/// Alters databases by hand, and looks whether the verification finds it.
@Suite(.timeLimit(.minutes(20))) struct TamperingTests {
  @Test(arguments: AuditBackend.allCases) func whatNobodyHasTouchedIsSound(_ backend: AuditBackend) async throws {
    let scene = try await TamperingScene(backend)
    let report = try await scene.verify()
    #expect(report.isSound, "\(report.text)")
    #expect(report.size == 40 && report.events == 39 && report.provenSize == 40)
    // Three from outside; of the stored ones the last of the hour.
    #expect(report.checkpoints == 4)
  }

  @Test func anyFlippedByteOfAStoredLeafIsFoundWithItsPosition() async throws {
    let scene = try await TamperingScene()
    let position: Int64 = 17
    let row = try #require(
      try await scene.open {
        try await $0.row(
          Statement("SELECT hash, aggregate_id, body FROM audit_leaf WHERE position = ?", [.integer(position)]))
      })
    let (hash, aggregate, body) = (try row.blob(0), Array(try row.text(1).utf8), try row.blob(2))
    let content = try Data(contentsOf: URL(fileURLWithPath: scene.path))
    // As SQLite lays a row down: the values one after another.
    let start = try #require(content.range(of: Data(hash + aggregate)))
    let end = try #require(content.range(of: Data(body), in: start.upperBound..<content.count))
    #expect(end.upperBound - start.lowerBound < hash.count + aggregate.count + body.count + 32)
    for offset in start.lowerBound..<end.upperBound {
      var changed = content
      changed[offset] ^= 1 << UInt8(offset % 8)
      try changed.write(to: URL(fileURLWithPath: scene.path))
      let report = try await scene.verify([])
      #expect(report.firstBadPosition == position, "byte \(offset - start.lowerBound): \(report.text)")
    }
    try content.write(to: URL(fileURLWithPath: scene.path))
    #expect(try await scene.verify().isSound)
  }

  @Test(arguments: AuditBackend.allCases) func aLeafThatWasRewrittenWithItsHashAndItsEventIsFound(
    _ backend: AuditBackend
  ) async throws {
    let scene = try await TamperingScene(backend)
    try await scene.open { database in
      let row = try #require(try await database.row(Statement("SELECT body FROM audit_leaf WHERE position = 9")))
      var leaf = try AuditLeaf(encoded: row.blob(0))
      leaf.actor = "somebody else"
      leaf.payloadHash = SHA256.hash([1])
      let key: [SQLValue] = [.text(leaf.aggregateID), .integer(leaf.aggregateVersion)]
      try await database.commit(
        Batch([
          Statement(
            "UPDATE audit_leaf SET body = ?, hash = ?, actor = ? WHERE position = 9",
            [.blob(leaf.encoded), .blob(MerkleHasher().leaf(leaf.encoded).array), .text(leaf.actor)]),
          Statement(
            "UPDATE event SET actor = 'somebody else', payload = ? WHERE aggregate_id = ? AND aggregate_version = ?",
            [.blob([1])] + key),
        ]), lane: .bulk)
    }
    let report = try await scene.verify([])
    #expect(report.firstBadPosition == 0, "only the node over the leaves 0 to 15 tells: \(report.text)")
    // Checkpoints narrow it down: 6 leaves were right at the first, 18 were not at the second.
    try await scene.alter("DELETE FROM audit_node", "DELETE FROM audit_checkpoint")
    #expect(try await !scene.verify().isSound)
  }

  @Test(arguments: AuditBackend.allCases) func anyChangedByteOfAStoredLeafIsFoundWithItsPosition(
    _ backend: AuditBackend
  ) async throws {
    let scene = try await TamperingScene(backend)
    try await scene.open { database in
      let row = try #require(
        try await database.row(Statement("SELECT hash, body FROM audit_leaf WHERE position = 17")))
      for (column, bytes) in [("hash", try row.blob(0)), ("body", try row.blob(1))] {
        func store(_ bytes: [UInt8]) async throws {
          let update = Statement("UPDATE audit_leaf SET \(column) = ? WHERE position = 17", [.blob(bytes)])
          try await database.commit(Batch([update]), lane: .bulk)
        }
        for index in bytes.indices {
          var changed = bytes
          changed[index] ^= 1 << UInt8(index % 8)
          try await store(changed)
          var verification = LogVerification(database: database)
          let report = try await verification.run(notes: [], keys: [])
          #expect(report.firstBadPosition == 17, "\(column) byte \(index): \(report.text)")
        }
        try await store(bytes)
      }
    }
    #expect(try await scene.verify().isSound)
  }

  @Test(arguments: [
    "payload = (SELECT hash FROM audit_leaf WHERE position = 0)", "actor = 'x'", "type = 'x'", "recorded_time = 1",
    "effective_time = 1", "event_id = 'x'",
  ])
  func anEventThatIsNotAsItWasLoggedIsFoundWithItsPosition(_ change: String) async throws {
    let scene = try await TamperingScene()
    try await scene.alter(
      """
      UPDATE event SET \(change) WHERE aggregate_id = (SELECT aggregate_id FROM audit_leaf WHERE position = 21)
      """)
    #expect(try await scene.verify([]).firstBadPosition == 21)
  }

  @Test(arguments: AuditBackend.allCases) func anEventThatIsGoneAndOneWithoutALeafAreFound(_ backend: AuditBackend)
    async throws
  {
    let scene = try await TamperingScene(backend)
    try await scene.alter(
      "DELETE FROM event WHERE aggregate_id = (SELECT aggregate_id FROM audit_leaf WHERE position = 21)")
    #expect(try await scene.verify([]).firstBadPosition == 21)
    let other = try await TamperingScene(backend)
    try await other.alter(
      """
      INSERT INTO event (event_id, partition, aggregate_id, aggregate_version, type, effective_time, recorded_time, actor,
        payload) SELECT 'evt_x', 0, 'forged', 1, 't', 0, 0, 'x', hash FROM audit_leaf WHERE position = 0
      """)
    let report = try await other.verify([])
    #expect(report.faults.map(\.text) == ["1 events have no leaf: they were written past the service"])
  }

  /// Moves the leaves of these places by one.
  private func move(_ scene: TamperingScene, _ places: some Sequence<Int>, by step: Int) async throws {
    try await scene.open { database in
      let statements = places.map { place in
        Statement("UPDATE audit_leaf SET position = \(place + step) WHERE position = \(place)")
      }
      try await database.commit(Batch(statements), lane: .bulk)
    }
  }

  @Test(arguments: AuditBackend.allCases) func aRemovedLeafIsFound(_ backend: AuditBackend) async throws {
    let scene = try await TamperingScene(backend, steps: [5, 12, 42])
    try await scene.alter("DELETE FROM audit_leaf WHERE position = 23")
    #expect(try await scene.verifyAlone().firstBadPosition == 23)
    // Those behind it moved up, so that no gap is left: its hash has gone with it, and only the node over the sixteen tells.
    try await move(scene, 24..<60, by: -1)
    let report = try await scene.verifyAlone()
    #expect(
      report.faults.first?.description
        == "positions 16 to 31: one of these leaves was removed, and those behind it moved up", "\(report.text)")
    #expect(!report.faults.contains { $0.positions == 32..<48 }, "these moved up, and are whole: \(report.text)")
  }

  @Test(arguments: AuditBackend.allCases) func anInsertedLeafIsFoundWithItsPosition(_ backend: AuditBackend)
    async throws
  {
    let scene = try await TamperingScene(backend, steps: [5, 12, 42])
    try await move(scene, (30..<60).reversed(), by: 1)
    try await scene.alter(
      """
      INSERT INTO audit_leaf (position, hash, aggregate_id, aggregate_version, actor, recorded_time, body)
      SELECT 30, hash, aggregate_id, aggregate_version, actor, recorded_time, body FROM audit_leaf WHERE position = 20
      """)
    let report = try await scene.verifyAlone()
    #expect(report.faults.compactMap(\.positions) == [30..<31], "\(report.text)")
  }

  @Test(arguments: AuditBackend.allCases) func swappedLeavesAreFoundWithTheirPositions(_ backend: AuditBackend)
    async throws
  {
    // Of the same sixteen, and of two.
    for (first, second) in [(18, 29), (5, 30)] {
      let scene = try await TamperingScene(backend)
      try await scene.alter(
        "UPDATE audit_leaf SET position = -1 WHERE position = \(first)",
        "UPDATE audit_leaf SET position = \(first) WHERE position = \(second)",
        "UPDATE audit_leaf SET position = \(second) WHERE position = -1")
      let report = try await scene.verifyAlone()
      let positions = report.faults.compactMap(\.position)
      #expect(positions.sorted() == [Int64(first), Int64(second)], "\(report.text)")
    }
  }

  @Test(arguments: AuditBackend.allCases) func aLeafThatWasMovedIsFoundWhereItStands(_ backend: AuditBackend)
    async throws
  {
    // Within sixteen leaves, to an earlier sixteen, and to a later one.
    for (from, to, found) in [(20, 27, 27), (40, 20, 20), (20, 40, 40)] {
      let scene = try await TamperingScene(backend, steps: [5, 12, 42])
      try await scene.alter("UPDATE audit_leaf SET position = -1 WHERE position = \(from)")
      if from < to {
        try await move(scene, from + 1...to, by: -1)
      } else {
        try await move(scene, (to..<from).reversed(), by: 1)
      }
      try await scene.alter("UPDATE audit_leaf SET position = \(to) WHERE position = -1")
      let report = try await scene.verifyAlone()
      #expect(
        report.faults.contains { $0.positions == Int64(found)..<Int64(found) + 1 }, "\(from) to \(to): \(report.text)")
      #expect(report.faultCount <= 2, "\(from) to \(to): \(report.text)")
    }
  }

  @Test(arguments: AuditBackend.allCases) func theAuditorOfARunningServiceComparesHashesToo(_ backend: AuditBackend)
    async throws
  {
    // More than one slice.
    let scene = try await TamperingScene(backend, steps: [300])
    func findings() async throws -> [String] {
      try await scene.open { database in
        var (place, found): ([SQLValue]?, [String]) = (nil, [])
        repeat {
          let slice = try await Invariant.leafHashes.slice(of: database, after: place)
          found += slice.findings.map(\.place)
          place = slice.next
        } while place != nil
        return found
      }
    }
    #expect(try await findings().isEmpty)
    try await scene.alter("UPDATE audit_leaf SET body = hash WHERE position = 17 OR position = 290")
    #expect(try await findings() == ["leaf 17", "leaf 290"])
    // With its hash: only the node over sixteen leaves tells, and none is over the last thirteen yet.
    try await scene.open { database in
      let body: [UInt8] = [1, 2, 3]
      let values: [SQLValue] = [.blob(body), .blob(MerkleHasher().leaf(body).array)]
      for position in [17, 290] {
        try await database.commit(
          Batch([Statement("UPDATE audit_leaf SET body = ?, hash = ? WHERE position = \(position)", values)]),
          lane: .bulk)
      }
    }
    #expect(try await findings() == ["leaves 16 to 31"])
  }

  /// Cuts the log, its events and all that is stored over it down to the first leaves, as if the rest had never been.
  private func cutTail(_ scene: TamperingScene, to size: Int64) async throws {
    try await scene.open { database in
      let rows = try await database.query(
        Statement("SELECT hash FROM audit_leaf WHERE position < ? ORDER BY position", [.integer(size)]), access: .scan)
      var frontier = MerkleFrontier()
      let hasher = MerkleHasher()
      for row in rows { frontier.append(try #require(MerkleHash(try row.blob(0))), hasher) }
      try await database.commit(
        Batch([
          Statement(
            """
            DELETE FROM event WHERE aggregate_id IN (SELECT aggregate_id FROM audit_leaf WHERE position >= ?)
            """, [.integer(size)]),
          Statement("DELETE FROM audit_leaf WHERE position >= ?", [.integer(size)]),
          Statement("DELETE FROM audit_node WHERE (number + 1) * 16 > ?", [.integer(size)]),
          Statement("UPDATE audit_log SET size = ?, frontier = ?", [.integer(size), .blob(frontier.bytes)]),
          Statement("DELETE FROM audit_checkpoint"),
        ]), lane: .bulk)
    }
  }

  @Test(arguments: AuditBackend.allCases) func aTailThatIsGoneWithItsCheckpointsIsFoundByTheExportedOnes(
    _ backend: AuditBackend
  ) async throws {
    let scene = try await TamperingScene(backend)
    try await cutTail(scene, to: 30)
    #expect(try await scene.verify([]).isSound, "nothing in the database tells of it")
    let report = try await scene.verify()
    #expect(report.firstBadPosition == 30 && report.provenSize == 18, "\(report.text)")
  }

  @Test(arguments: AuditBackend.allCases) func yesterdaysCheckpointIsProvenOrTheForkShown(_ backend: AuditBackend)
    async throws
  {
    let scene = try await TamperingScene(backend)
    let yesterday = try Checkpoint(note: scene.exported[1], keys: scene.keys)
    let today = try Checkpoint(note: scene.exported[2], keys: scene.keys)
    func isProven() async throws -> Bool {
      let proof = try await scene.open {
        try await ProofSource(database: $0).consistency(first: yesterday.size, second: today.size)
      }
      return ProofCheck.consistency(
        firstSize: yesterday.size, firstRoot: yesterday.root, secondSize: today.size, secondRoot: today.root,
        proof: proof)
    }
    #expect(try await isProven())
    // Yesterday's end is rewritten, and all that stands above it made to fit.
    try await cutTail(scene, to: 10)
    let forked = try await AuditStore(folder: scene.folder, key: scene.key, reopen: scene.reopen)
    try await forked.add(30, prefix: "other")
    try await forked.place()
    forked.database.close()
    #expect(try await !isProven())
    let report = try await scene.verify()
    #expect(report.firstBadPosition == 6 && !report.isSound, "\(report.text)")
  }

  @Test(arguments: AuditBackend.allCases) func aNoteThatTheKeyHasNotSignedCountsForNothing(_ backend: AuditBackend)
    async throws
  {
    let scene = try await TamperingScene(backend)
    let stranger = try SigningKey(random: SystemRandom())
    let real = try Checkpoint(note: scene.exported[2], keys: scene.keys)
    let forged = try real.note(signedBy: stranger)
    let report = try await scene.verify([forged])
    #expect(!report.isSound && report.faults.first?.text == "exported checkpoint 1: it is not signed by mainstay/test")
  }

  @Test func droppedBodiesLeaveEveryProofAndCheckpointStanding() async throws {
    let store = try await AuditStore()
    var notes: [String] = []
    for round in 0..<3 {
      try await store.add(20, prefix: "r\(round)-")
      try await store.place()
      notes.append(try #require(try await store.log.newestNote()))
      store.clock.advance(seconds: 100 * 24 * 3_600)
    }
    let retention = LeafRetention(log: store.log, days: 190, clock: store.clock, random: SystemRandom())
    #expect(try await retention.begin())
    #expect(try await retention.drop() == 41)
    #expect(try await retention.drop() == 0)
    #expect(try await !retention.begin())
    try await store.place()
    var verification = LogVerification(database: store.database)
    let report = try await verification.run(notes: notes, keys: store.keys)
    #expect(report.isSound && report.dropped == 41 && report.size == 62, "\(report.text)")
    let (first, last) = (
      try Checkpoint(note: notes[0], keys: store.keys), try Checkpoint(note: notes[2], keys: store.keys)
    )
    let proof = try await store.proofs.consistency(first: first.size, second: last.size)
    #expect(
      ProofCheck.consistency(
        firstSize: first.size, firstRoot: first.root, secondSize: last.size, secondRoot: last.root, proof: proof))
    // A body that goes without a word is found.
    try await store.database.commit(
      Batch([Statement("UPDATE audit_leaf SET body = NULL WHERE position = 50")]), lane: .bulk)
    var second = LogVerification(database: store.database)
    #expect(try await second.run(notes: notes, keys: store.keys).firstBadPosition == 50)
  }
}
