import Audit
import AuditProof
import Core
import Foundation
import MainstayTesting
import RPCCore
import Storage
import StorageSQLite
import Testing

@Suite struct WitnessTests {
  private func witness(_ store: AuditStore, _ keys: [LogKey]) -> Witness {
    Witness(database: store.database, clock: store.clock) { keys }
  }

  private func record(_ witness: Witness, _ store: AuditStore, proven: Int64 = 0) async throws -> Witness.Outcome {
    let note = try #require(try await store.log.newestNote())
    let size = try Checkpoint(unverified: note).size
    let proof = (1..<size).contains(proven) ? try await store.proofs.consistency(first: proven, second: size) : []
    return try await witness.record(note: note, provenSize: proven, proof: proof)
  }

  @Test func aLogThatGrowsIsRecordedWhereItIsProven() async throws {
    let (store, other) = (try await AuditStore(), try await AuditStore())
    let witness = witness(other, store.keys)
    try await store.add(3)
    try await store.place()
    #expect(try await record(witness, store) == .recorded(size: 4))
    #expect(try await record(witness, store) == .recorded(size: 4))
    try await store.add(7, prefix: "b")
    try await store.place()
    #expect(try await record(witness, store) == .unproven(size: 4))
    #expect(try await record(witness, store, proven: 4) == .recorded(size: 11))
    other.clock.advance(seconds: 7_200)
    try await store.add(1, prefix: "c")
    try await store.place()
    #expect(try await record(witness, store, proven: 11) == .recorded(size: 12))
    #expect(try await other.number("SELECT count(*) FROM audit_witnessed") == 2)
  }

  @Test func aForkIsRefusedAndTheEvidenceKept() async throws {
    let (store, other) = (try await AuditStore(), try await AuditStore())
    let witness = witness(other, store.keys)
    try await store.add(3)
    try await store.place()
    store.database.close()
    // Two lives of one log: the file is copied, and each copy goes on.
    let folder = try TemporaryFolder()
    try FileManager.default.copyItem(atPath: store.path, toPath: folder.file("store.db"))
    let first = try await AuditStore(folder: store.folder, key: store.key)
    let second = try await AuditStore(folder: folder, key: store.key)
    for (copy, prefix) in [(first, "x"), (second, "y")] {
      try await copy.add(3, prefix: prefix)
      try await copy.place()
    }
    #expect(try await record(witness, first) == .recorded(size: 7))
    await #expect(throws: RPCError.self) { try await record(witness, second) }
    try await second.add(3, prefix: "z")
    try await second.place()
    await #expect(throws: RPCError.self) { try await record(witness, second, proven: 7) }
    #expect(try await other.number("SELECT count(*) FROM audit_refused") == 2)
    // The first life goes on undisturbed.
    try await first.add(1, prefix: "w")
    try await first.place()
    #expect(try await record(witness, first, proven: 7) == .recorded(size: 8))
  }

  @Test func aLogThatHasBecomeShorterIsRefused() async throws {
    let (store, other) = (try await AuditStore(), try await AuditStore())
    let witness = witness(other, store.keys)
    try await store.add(9)
    try await store.place()
    #expect(try await record(witness, store) == .recorded(size: 10))
    let (hasher, time) = (MerkleHasher(), store.clock.now())
    let short = Checkpoint(
      name: AuditStore.name, epoch: store.log.epoch, size: 5, root: hasher.leaf([1]),
      time: Timestamp(microsecondsSinceEpoch: time.microsecondsSinceEpoch + 1))
    await #expect(throws: RPCError.self) {
      try await witness.record(note: short.note(signedBy: store.key), provenSize: 0, proof: [])
    }
  }

  @Test func onlyKnownLogsAreWitnessed() async throws {
    let (store, other) = (try await AuditStore(), try await AuditStore())
    try await store.add(1)
    try await store.place()
    for keys in [[], other.keys] {
      await #expect(throws: RPCError.self) { try await record(witness(other, keys), store) }
    }
    #expect(try await other.number("SELECT count(*) FROM audit_refused") == 0)
  }

  @Test func checkpointsAreAddedToAFileThatMayBeMovedAway() async throws {
    let store = try await AuditStore()
    let path = store.folder.file("out/test.checkpoints")
    let file = CheckpointFile(path: path)
    var notes: [String] = []
    for round in 0..<3 {
      try await store.add(1, prefix: "r\(round)-")
      try await store.place()
      notes.append(try #require(try await store.log.newestNote()))
      try await file.add(notes[round])
      try await file.add(notes[round])
    }
    // After a restart nothing stands there twice, and a note that was cut off spoils no other.
    try await CheckpointFile(path: path).add(notes[2])
    let text = try TextFile.read(path, maximumBytes: 100_000)
    #expect(CheckpointNotes.split(text) == notes)
    let handle = try #require(FileHandle(forWritingAtPath: path))
    handle.seekToEndOfFile()
    handle.write(Data(notes[0].utf8.prefix(100)))
    try await CheckpointFile(path: path).add(notes[1])
    let found = CheckpointNotes.split(try TextFile.read(path, maximumBytes: 100_000))
    #expect(found.prefix(3) == notes[...] && found.last == notes[1])
    let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    #expect(mode == 0o600)
  }
}
