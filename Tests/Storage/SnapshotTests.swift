import Core
import Storage
import Testing

@Suite struct SnapshotTests {
  private struct Scene {
    let store: TestStore
    let log: EventLog
    let sequencer: Sequencer

    init() async throws {
      store = try await TestStore()
      log = try await EventLog.open(store.database, random: SystemRandom())
      sequencer = Sequencer(database: store.database, log: log, holder: "one", clock: store.clock)
    }

    /// Commits and numbers these, one after another: "a1 b1 a2". As if their audit leaves had their places.
    func add(_ events: String) async throws {
      for word in events.split(separator: " ") {
        try await store.commit(events: [store.event(String(word.prefix(1)), Int64(word.dropFirst()) ?? 0)])
        _ = try await sequencer.step()
      }
      try await store.commit(Statement("DELETE FROM audit_pending"))
    }

    func publish(upTo position: Int64) async throws {
      let count = try await log.count(after: 0, to: position, inSnapshot: position)
      try await store.database.commit(
        Batch([log.publication(upTo: position, events: count, at: store.clock.now())]), lane: .bulk)
    }

    func remove(upTo end: Int64) async throws {
      let snapshot = try await log.snapshot().position
      try await store.database.commit(
        Batch(log.removal(after: 0, to: end, snapshot: snapshot)), lane: .bulk)
    }

    /// What a reader gets, as "a1 b1 a2", each from the snapshot in brackets.
    func read(from token: String = "", limit: Int = 256) async throws -> (events: String, token: String) {
      var place = try await log.position(token: token)
      var words: [String] = []
      while true {
        let page = try await log.read(after: place, limit: limit)
        words += page.events.map {
          let word = "\($0.event.aggregateID)\($0.event.aggregateVersion)"
          return page.isSnapshot ? "(\(word))" : word
        }
        place = page.next
        if page.isCaughtUp { return (words.joined(separator: " "), place.token) }
      }
    }
  }

  @Test func theSnapshotIsTheNewestEventOfEachAggregateAndTheTailFollows() async throws {
    let scene = try await Scene()
    try await scene.add("a1 b1 a2 c1 a3 b2")
    try await scene.publish(upTo: 6)
    #expect(try await scene.log.snapshot().events == 3)
    #expect(try await scene.read().events == "a1 b1 a2 c1 a3 b2")
    try await scene.add("a4 d1")
    try await scene.remove(upTo: 6)
    #expect(try await scene.read(limit: 1).events == "(c1) (a3) (b2) a4 d1")
    #expect(try await scene.log.snapshot().removedUpTo == 6)
  }

  @Test func whoStandsBeforeWhatWasRemovedMustRebuildAndWhoStandsBehindGoesOn() async throws {
    let scene = try await Scene()
    try await scene.add("a1 a2")
    let early = try await scene.read().token
    try await scene.add("b1 a3")
    let late = try await scene.read().token
    try await scene.publish(upTo: 4)
    try await scene.remove(upTo: 4)
    await #expect(throws: ResumePosition.Refused.removed) { try await scene.read(from: early) }
    try await scene.add("b2")
    #expect(try await scene.read(from: late).events == "b2")
  }

  @Test func whoReadsTheSnapshotMayResumeWithinItUntilMoreIsRemoved() async throws {
    let scene = try await Scene()
    try await scene.add("a1 a2 b1 c1 c2")
    try await scene.publish(upTo: 5)
    try await scene.remove(upTo: 4)
    let page = try await scene.log.read(after: scene.log.beginning, limit: 1)
    #expect(page.events.map(\.position) == [2])
    #expect(try ResumePosition(token: page.next.token) == page.next)
    #expect(try await scene.read(from: page.next.token, limit: 1).events == "(b1) c2")
    try await scene.remove(upTo: 5)
    await #expect(throws: ResumePosition.Refused.removed) { try await scene.read(from: page.next.token) }
    await #expect(throws: ResumePosition.Refused.removed) { try await scene.log.read(after: page.next) }
  }

  @Test func nothingIsRemovedBehindThePublishedSnapshot() async throws {
    let scene = try await Scene()
    try await scene.add("a1 a2 a3 a4")
    await #expect(throws: StorageError.self) { try await scene.remove(upTo: 2) }
    try await scene.publish(upTo: 2)
    await #expect(throws: StorageError.self) { try await scene.remove(upTo: 3) }
    try await scene.remove(upTo: 2)
    #expect(try await scene.read(limit: 1).events == "(a2) a3 a4")
    // An older snapshot does not take the place of a newer one.
    try await scene.publish(upTo: 4)
    try await scene.publish(upTo: 1)
    #expect(try await scene.log.snapshot().position == 4)
  }

  @Test func snapshotAndTailGiveTheSameFactsAsAllEvents() async throws {
    var random = SystemRandomNumberGenerator()
    let scene = try await Scene()
    var versions: [String: Int64] = [:]
    for round in 1...8 {
      for _ in 0..<20 {
        let aggregate = ["a", "b", "c", "d", "e", "f", "g"].randomElement(using: &random) ?? "a"
        versions[aggregate, default: 0] += 1
        try await scene.add("\(aggregate)\(versions[aggregate] ?? 0)")
      }
      let last = try await scene.log.state().lastPosition
      #expect(last == Int64(round * 20))
      try await scene.publish(upTo: .random(in: (last - 19)...last, using: &random))
      let snapshot = try await scene.log.snapshot().position
      try await scene.remove(upTo: .random(in: 1...snapshot, using: &random))
      var facts: [String: Int64] = [:]
      for word in try await scene.read().events.split(separator: " ") {
        let name = word.filter { !"()".contains($0) }
        facts[String(name.prefix(1))] = Int64(name.dropFirst())
      }
      #expect(facts == versions)
    }
  }

  @Test func anEventStaysUntilItsAuditLeafWasMade() async throws {
    let scene = try await Scene()
    try await scene.add("a1")
    try await scene.store.commit(events: [scene.store.event("a", 2), scene.store.event("a", 3)])
    _ = try await scene.sequencer.step()
    try await scene.publish(upTo: 3)
    try await scene.remove(upTo: 3)
    #expect(try await scene.read().events == "(a2) (a3)")
    try await scene.store.commit(Statement("DELETE FROM audit_pending"))
    try await scene.remove(upTo: 3)
    #expect(try await scene.read().events == "(a3)")
  }

  @Test func aTimeIsFoundAmongPositions() async throws {
    let scene = try await Scene()
    var times: [Timestamp] = []
    for number in 1...9 {
      scene.store.clock.advance(seconds: 10)
      times.append(scene.store.clock.now())
      try await scene.add("a\(number)")
    }
    #expect(try await scene.log.position(recordedBefore: times[0]) == 0)
    #expect(try await scene.log.position(recordedBefore: times[4]) == 4)
    scene.store.clock.advance(seconds: 1)
    #expect(try await scene.log.position(recordedBefore: scene.store.clock.now()) == 9)
  }

  @Test func aSubscriberOfOneReplicaSeesWhatAnothersSequencerNumbers() async throws {
    let scene = try await Scene()
    let other = try await EventLog.open(scene.store.database, random: SystemRandom())
    let watcher = Sequencer(database: scene.store.database, log: other, holder: "two", clock: scene.store.clock)
    _ = try await watcher.step()
    let page = try await other.read(after: other.beginning)
    #expect(page.events.isEmpty)
    async let woken: Void = other.waitForMore(after: page)
    try await scene.add("a1 b1 a2")
    // The poll of the replica that does not number notices that the log has grown.
    _ = try await watcher.step()
    try await woken
    #expect(try await other.read(after: page.next).events.map(\.position) == [1, 2, 3])
    // Its turn comes when the other's lease has lapsed; positions go on where the other has ended.
    try await scene.store.commit(events: [scene.store.event("b", 2)])
    #expect(try await watcher.step() == .heldByOther)
    scene.store.clock.advance(seconds: 6)
    #expect(try await watcher.step() == .numbered(1))
    #expect(try await scene.read().events == "a1 b1 a2 b2")
  }
}
