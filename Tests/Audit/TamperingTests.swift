import Audit
import AuditProof
import Core
import Foundation
import MainstayTesting
import Storage
import StorageSQLite
import Testing

/// Alters the file of a closed database, as somebody would who owns the machine, and looks whether the verification finds it.
@Suite struct TamperingTests {
  /// A closed database with 40 leaves and their checkpoints from outside.
  struct Scene {
    let folder: TemporaryFolder
    let key: SigningKey
    let keys: [LogKey]
    var exported: [String]
    var path: String { folder.file("store.db") }

    init() async throws {
      let store = try await AuditStore()
      (folder, key, keys, exported) = (store.folder, store.key, store.keys, [])
      for (round, count) in [5, 12, 22].enumerated() {
        try await store.add(count, prefix: "r\(round)-")
        try await store.place()
        exported.append(try #require(try await store.log.newestNote()))
      }
      store.database.close()
    }

    /// Opens the file, lets something happen with it, and closes it.
    func open<Value>(_ body: (SQLiteDatabase) async throws -> Value) async throws -> Value {
      let database = try SQLiteDatabase(path: path, clock: SystemClock())
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

  @Test func whatNobodyHasTouchedIsSound() async throws {
    let scene = try await Scene()
    let report = try await scene.verify()
    #expect(report.isSound, "\(report.text)")
    #expect(report.size == 40 && report.events == 39 && report.provenSize == 40)
    // Three from outside; of the stored ones the last of the hour.
    #expect(report.checkpoints == 4)
  }

  @Test func anyFlippedByteOfAStoredLeafIsFoundWithItsPosition() async throws {
    let scene = try await Scene()
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

  @Test func aLeafThatWasRewrittenWithItsHashAndItsEventIsFound() async throws {
    let scene = try await Scene()
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
            "UPDATE event SET actor = 'somebody else', payload = x'01' WHERE aggregate_id = ? AND aggregate_version = ?",
            key),
        ]), lane: .bulk)
    }
    let report = try await scene.verify([])
    #expect(report.firstBadPosition == 0, "only the node over the leaves 0 to 15 tells: \(report.text)")
    // Checkpoints narrow it down: 6 leaves were right at the first, 18 were not at the second.
    try await scene.alter("DELETE FROM audit_node", "DELETE FROM audit_checkpoint")
    #expect(try await !scene.verify().isSound)
  }

  @Test(arguments: [
    "payload = x'FF'", "actor = 'x'", "type = 'x'", "recorded_time = 1", "effective_time = 1", "event_id = 'x'",
  ])
  func anEventThatIsNotAsItWasLoggedIsFoundWithItsPosition(_ change: String) async throws {
    let scene = try await Scene()
    try await scene.alter(
      """
      UPDATE event SET \(change) WHERE aggregate_id = (SELECT aggregate_id FROM audit_leaf WHERE position = 21)
      """)
    #expect(try await scene.verify([]).firstBadPosition == 21)
  }

  @Test func anEventThatIsGoneAndOneWithoutALeafAreFound() async throws {
    let scene = try await Scene()
    try await scene.alter(
      "DELETE FROM event WHERE aggregate_id = (SELECT aggregate_id FROM audit_leaf WHERE position = 21)")
    #expect(try await scene.verify([]).firstBadPosition == 21)
    let other = try await Scene()
    try await other.alter(
      """
      INSERT INTO event (event_id, partition, aggregate_id, aggregate_version, type, effective_time, recorded_time, actor,
        payload) VALUES ('evt_x', 0, 'forged', 1, 't', 0, 0, 'x', x'00')
      """)
    let report = try await other.verify([])
    #expect(report.faults.map(\.text) == ["1 events have no leaf: they were written past the service"])
  }

  @Test func aRemovedLeafIsFound() async throws {
    let scene = try await Scene()
    try await scene.alter("DELETE FROM audit_leaf WHERE position = 23")
    #expect(try await scene.verify([]).firstBadPosition == 23)
    // Those behind it moved up, so that no gap is left.
    for position in 24..<40 {
      try await scene.alter("UPDATE audit_leaf SET position = \(position - 1) WHERE position = \(position)")
    }
    #expect(try await scene.verify([]).firstBadPosition == 16)
  }

  @Test func anInsertedLeafIsFound() async throws {
    let scene = try await Scene()
    for position in (30..<40).reversed() {
      try await scene.alter("UPDATE audit_leaf SET position = \(position + 1) WHERE position = \(position)")
    }
    try await scene.alter(
      """
      INSERT INTO audit_leaf (position, hash, aggregate_id, aggregate_version, actor, recorded_time, body)
      SELECT 30, hash, aggregate_id, aggregate_version, actor, recorded_time, body FROM audit_leaf WHERE position = 20
      """)
    let report = try await scene.verify([])
    #expect(report.firstBadPosition == 16, "\(report.text)")
  }

  @Test func swappedLeavesAreFound() async throws {
    let scene = try await Scene()
    try await scene.alter(
      "UPDATE audit_leaf SET position = -1 WHERE position = 18",
      "UPDATE audit_leaf SET position = 18 WHERE position = 29",
      "UPDATE audit_leaf SET position = 29 WHERE position = -1")
    #expect(try await scene.verify([]).firstBadPosition == 16)
  }

  /// Cuts the log, its events and all that is stored over it down to the first leaves, as if the rest had never been.
  private func cutTail(_ scene: Scene, to size: Int64) async throws {
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

  @Test func aTailThatIsGoneWithItsCheckpointsIsFoundByTheExportedOnes() async throws {
    let scene = try await Scene()
    try await cutTail(scene, to: 30)
    #expect(try await scene.verify([]).isSound, "nothing in the database tells of it")
    let report = try await scene.verify()
    #expect(report.firstBadPosition == 30 && report.provenSize == 18, "\(report.text)")
  }

  @Test func yesterdaysCheckpointIsProvenOrTheForkShown() async throws {
    let scene = try await Scene()
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
    let forked = try await AuditStore(folder: scene.folder, key: scene.key)
    try await forked.add(30, prefix: "other")
    try await forked.place()
    forked.database.close()
    #expect(try await !isProven())
    let report = try await scene.verify()
    #expect(report.firstBadPosition == 6 && !report.isSound, "\(report.text)")
  }

  @Test func aNoteThatTheKeyHasNotSignedCountsForNothing() async throws {
    let scene = try await Scene()
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
