import Audit
import AuditProof
import Core
import MainstayTesting
import Signatures
import Storage
import StorageSQLite
import Testing

@Suite struct LeafTests {
  @Test func aLogBeginsWithALeafThatSaysWhatWasThereBefore() async throws {
    let folder = try TemporaryFolder()
    let old = try SQLiteDatabase(path: folder.file("store.db"), clock: SystemClock())
    try await old.migrate([])
    // As a program from before the audit log wrote: an event, and no leaf.
    try await old.commit(
      Batch([
        Statement(
          """
          INSERT INTO event (event_id, partition, aggregate_id, aggregate_version, type, effective_time, recorded_time,
            actor, payload) VALUES ('evt_old', 0, 'a', 1, 't', 0, 0, 'x', x'00')
          """)
      ]), lane: .interactive)
    old.close()
    let store = try await AuditStore(folder: folder, key: SigningKey(random: SystemRandom()))
    let bodies = try await store.bodies()
    let first = try AuditLeaf(encoded: try #require(bodies.first))
    #expect(bodies.count == 1 && first.kind == .beginning && first.detail == "events_before=1")
    store.database.close()
    let again = try await AuditStore(folder: folder, key: store.key)
    #expect(try await again.bodies() == bodies)
  }

  @Test func eachEventOfABatchHasALeafThatSaysWhoDidWhat() async throws {
    let store = try await AuditStore()
    let event = store.event("par_1", 1)
    try await store.database.commit(Batch(events: [event]), lane: .interactive)
    #expect(try await store.sequencer.step() == .placed(1))
    #expect(try await store.sequencer.step() == .idle)
    let leaf = try AuditLeaf(encoded: try #require(try await store.bodies().last))
    let expected = AuditLeaf(
      kind: .event, entryID: event.eventID, aggregateID: "par_1", aggregateVersion: 1, type: "test.Changed",
      actor: "tester", callingService: "gateway", method: "/test.Service/Change", effectiveTime: event.effectiveTime,
      recordedTime: event.recordedTime, payloadHash: SHA256.hash(Array("par_1@1".utf8)))
    #expect(leaf == expected)
    #expect(try await store.number("SELECT count(*) FROM audit_pending") == 0)
  }

  @Test func aLeafWithoutAnEventIsCommittedAsItIs() async throws {
    let store = try await AuditStore()
    var batch = Batch()
    let leaf = AuditLeaf(
      kind: .disclosure, entryID: "aud_1", aggregateID: "par_1", type: "Party.phone", actor: "alice",
      effectiveTime: store.clock.now(), recordedTime: store.clock.now(), detail: "purpose=claim")
    batch.audit = [leaf]
    try await store.database.commit(batch, lane: .interactive)
    try await store.place()
    #expect(try AuditLeaf(encoded: try #require(try await store.bodies().last)) == leaf)
    #expect(try await store.number("SELECT count(*) FROM audit_leaf WHERE actor = 'alice' AND position = 1") == 1)
  }

  @Test func aBatchThatFailsLeavesNoLeaf() async throws {
    let store = try await AuditStore()
    let event = store.event("a", 1)
    try await store.database.commit(Batch(events: [event]), lane: .interactive)
    await #expect(throws: StorageError.self) {
      try await store.database.commit(Batch(events: [store.event("b", 1), store.event("a", 1)]), lane: .interactive)
    }
    #expect(try await store.number("SELECT count(*) FROM audit_pending") == 1)
  }

  @Test func aLargePayloadIsHashedToo() async throws {
    let store = try await AuditStore()
    let payload = (0..<100_000).map { UInt8(truncatingIfNeeded: $0) }
    try await store.database.commit(Batch(events: [store.event("a", 1, payload: payload)]), lane: .interactive)
    try await store.place()
    let leaf = try AuditLeaf(encoded: try #require(try await store.bodies().last))
    #expect(leaf.payloadHash == SHA256.hash(payload))
  }

  @Test func everyLeafHasOnePlaceAndEachAggregatesFollowItsVersions() async throws {
    let store = try await AuditStore()
    for version in 1...5 as ClosedRange<Int64> {
      let events = (0..<700).map { store.event("a\($0)", version) }
      try await store.database.commit(Batch(events: events), lane: .bulk)
      if version == 2 { #expect(try await store.sequencer.step() == .placed(LeafSequencer.maximumChunk)) }
    }
    try await store.place()
    let leaves = try await store.bodies().dropFirst().map { try AuditLeaf(encoded: $0) }
    #expect(leaves.count == 3_500 && Set(leaves.map(\.entryID)).count == 3_500)
    var versions: [String: Int64] = [:]
    for leaf in leaves {
      #expect(leaf.aggregateVersion == versions[leaf.aggregateID, default: 0] + 1)
      versions[leaf.aggregateID] = leaf.aggregateVersion
    }
    #expect(try await store.number("SELECT max(position) - min(position) + 1 FROM audit_leaf") == 3_501)
  }

  @Test func twoReplicasGiveNoPlaceTwiceAndLeaveNoneOut() async throws {
    let store = try await AuditStore()
    let other = PartitionLease(database: store.database, partition: 0, holder: "two", clock: store.clock)
    let second = LeafSequencer(log: store.log, lease: other, key: store.key, clock: store.clock)
    try await store.add(10)
    #expect(try await store.sequencer.step() == .placed(10))
    try await store.add(10, prefix: "b")
    #expect(try await second.step() == .heldByOther)
    store.clock.advance(seconds: 6)
    #expect(try await second.step() == .placed(10))
    try await store.add(10, prefix: "c")
    // The first does not know yet that its lease has gone.
    #expect(try await store.sequencer.step() == .heldByOther)
    #expect(try await second.step() == .placed(10))
    #expect(try await store.bodies().count == 31)
  }

  @Test func manyWhoPlaceAtOnceAgree() async throws {
    let store = try await AuditStore()
    await withTaskGroup(of: Void.self) { group in
      for task in 0..<4 {
        group.addTask {
          for round in 0..<10 {
            try? await store.add(20, prefix: "t\(task)r\(round)-")
            _ = try? await store.sequencer.step()
          }
        }
      }
    }
    try await store.place()
    let bodies = try await store.bodies()
    #expect(bodies.count == 801)
    #expect(Set(try bodies.map { try AuditLeaf(encoded: $0).entryID }).count == 801)
    var frontier = MerkleFrontier()
    let hasher = MerkleHasher()
    for body in bodies { frontier.append(hasher.leaf(body), hasher) }
    #expect(try await store.log.state()?.frontier == frontier)
  }

  @Test func aRestoredDatabaseSaysSoInItsLog() async throws {
    let store = try await AuditStore()
    try await store.add(3)
    try await store.place()
    try await store.database.commit(Batch([Statement("UPDATE log_epoch SET epoch = 'another'")]), lane: .interactive)
    store.database.close()
    let again = try await AuditStore(folder: store.folder, key: store.key)
    try await again.place()
    let last = try AuditLeaf(encoded: try #require(try await again.bodies().last))
    #expect(last.kind == .restoration)
    #expect(last.detail == "epoch_before=\(store.log.epoch) epoch=another size=4")
    let note = try await again.database.row(Statement("SELECT note FROM audit_checkpoint"))?.text(0)
    #expect(try Checkpoint(note: note ?? "", keys: again.keys).epoch == "another")
  }

  @Test func noBytesBringTheReaderOfLeavesDown() throws {
    let time = Timestamp(microsecondsSinceEpoch: 0)
    let leaf = AuditLeaf(
      kind: .change, entryID: "aud_1", aggregateID: "a", aggregateVersion: -1, type: "t", actor: "欧阳",
      effectiveTime: time, recordedTime: time, payloadHash: SHA256.hash([]), detail: "")
    let bytes = leaf.encoded
    #expect(try AuditLeaf(encoded: bytes) == leaf)
    for index in bytes.indices {
      for bit in 0..<8 {
        var changed = bytes
        changed[index] ^= 1 << bit
        if let read = try? AuditLeaf(encoded: changed) { #expect(read.encoded == changed) }
      }
      #expect(throws: AuditLeaf.Malformed.self) { try AuditLeaf(encoded: Array(bytes.prefix(index))) }
    }
  }
}
