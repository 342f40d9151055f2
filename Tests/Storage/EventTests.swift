import Core
import Storage
import Testing

/// The system's, so that each log has an epoch of its own.
private let random = SystemRandom()

@Suite struct EventTests {
  private func sequencer(_ store: Store, _ log: EventLog, _ holder: String = "one") -> Sequencer {
    Sequencer(database: store.database, log: log, holder: holder, clock: store.clock)
  }

  private func readAll(_ log: EventLog) async throws -> [NumberedEvent] {
    var events: [NumberedEvent] = []
    var page = try await log.read(after: log.beginning)
    events += page.events
    while !page.isCaughtUp {
      page = try await log.read(after: page.next)
      events += page.events
    }
    return events
  }

  @Test(arguments: Backend.allCases) func positionsAreDenseAndFollowEachAggregatesVersions(_ backend: Backend)
    async throws
  {
    let store = try await Store(backend)
    let log = try await EventLog.open(store.database, random: random)
    let sequencer = sequencer(store, log)
    for version in 1...5 as ClosedRange<Int64> {
      for aggregate in ["c", "a", "b"] { try await store.commit(events: [store.event(aggregate, version)]) }
      if version % 2 == 0 { #expect(try await sequencer.step() == .numbered(6)) }
    }
    #expect(try await sequencer.step() == .numbered(3))
    #expect(try await sequencer.step() == .idle)
    let events = try await readAll(log)
    #expect(events.map(\.position) == Array(1...15))
    for aggregate in ["a", "b", "c"] {
      let versions = events.filter { $0.event.aggregateID == aggregate }.map(\.event.aggregateVersion)
      #expect(versions == [1, 2, 3, 4, 5])
    }
    #expect(events[0].event == store.event("a", 1))
  }

  @Test(arguments: Backend.allCases) func whatWasCommittedIsInvisibleUntilItHasAPosition(_ backend: Backend)
    async throws
  {
    let store = try await Store(backend)
    let log = try await EventLog.open(store.database, random: random)
    try await store.commit(events: [store.event("a", 1)])
    #expect(try await readAll(log).isEmpty)
    _ = try await sequencer(store, log).step()
    #expect(try await readAll(log).count == 1)
  }

  @Test(arguments: Backend.allCases) func partitionsCountApart(_ backend: Backend) async throws {
    let store = try await Store(backend)
    let first = try await EventLog.open(store.database, random: random)
    let second = try await EventLog.open(store.database, partition: 1, random: random)
    #expect(first.epoch == second.epoch)
    try await store.commit(
      events: [store.event("a", 1), store.event("b", 1, partition: 1), store.event("c", 1, partition: 1)])
    #expect(try await sequencer(store, first).step() == .numbered(1))
    #expect(try await sequencer(store, second).step() == .numbered(2))
    #expect(try await readAll(first).map(\.position) == [1])
    #expect(try await readAll(second).map(\.position) == [1, 2])
  }

  @Test(arguments: Backend.allCases) func manyEventsAreNumberedInChunks(_ backend: Backend) async throws {
    let store = try await Store(backend)
    let log = try await EventLog.open(store.database, random: random)
    let sequencer = sequencer(store, log)
    let events = (0..<10_000).map { store.event("a\($0 % 100)", Int64($0 / 100) + 1) }
    try await store.database.commit(Batch(events: events), lane: .bulk)
    #expect(try await sequencer.step() == .numbered(4_096))
    #expect(try await sequencer.step() == .numbered(4_096))
    #expect(try await sequencer.step() == .numbered(1_808))
    #expect(try await readAll(log).map(\.position) == Array(1...10_000))
  }

  @Test(arguments: Backend.allCases) func oneWhoHasLostTheLeaseCannotNumber(_ backend: Backend) async throws {
    let store = try await Store(backend)
    let log = try await EventLog.open(store.database, random: random)
    let (old, fresh) = (sequencer(store, log, "old"), sequencer(store, log, "fresh"))
    try await store.commit(events: [store.event("a", 1)])
    #expect(try await old.step() == .numbered(1))
    try await store.commit(events: [store.event("a", 2)])
    #expect(try await fresh.step() == .heldByOther)
    store.clock.advance(seconds: 6)
    #expect(try await fresh.step() == .numbered(1))
    try await store.commit(events: [store.event("a", 3)])
    // The old one still believes in its token.
    #expect(try await old.step() == .heldByOther)
    #expect(try await readAll(log).count == 2)
    #expect(try await fresh.step() == .numbered(1))
    #expect(try await readAll(log).map(\.position) == [1, 2, 3])
  }

  @Test(arguments: Backend.allCases) func aRestartedReplicaTakesItsOwnLeaseBackAtOnce(_ backend: Backend) async throws {
    let store = try await Store(backend)
    let log = try await EventLog.open(store.database, random: random)
    try await store.commit(events: [store.event("a", 1)])
    #expect(try await sequencer(store, log).step() == .numbered(1))
    try await store.commit(events: [store.event("a", 2)])
    #expect(try await sequencer(store, log).step() == .numbered(1))
  }

  @Test(.timeLimit(.minutes(10)), arguments: Backend.allCases) func aSubscriberGetsEachEventOnceAndInOrder(
    _ backend: Backend
  ) async throws {
    let store = try await Store(backend)
    let log = try await EventLog.open(store.database, random: random)
    let sequencer = sequencer(store, log)
    let received = try await withThrowingTaskGroup(of: [Int64].self) { group in
      group.addTask {
        try? await sequencer.run(sleep: { try await Task.sleep(for: $0) }, onError: { Issue.record($0) })
        return []
      }
      group.addTask {
        for version in 1...40 as ClosedRange<Int64> { try await store.commit(events: [store.event("a", version)]) }
        return []
      }
      group.addTask {
        var versions: [Int64] = []
        var place = log.beginning
        while versions.count < 40 {
          let page = try await log.read(after: place, limit: 7)
          versions += page.events.map(\.event.aggregateVersion)
          // As a consumer would that is cut off each time.
          place = try await log.position(token: page.next.token)
          if page.isCaughtUp, versions.count < 40 { try await log.waitForMore(after: page) }
        }
        return versions
      }
      defer { group.cancelAll() }
      while let versions = try await group.next() { if !versions.isEmpty { return versions } }
      return []
    }
    #expect(received == Array(1...40))
  }

  @Test(.timeLimit(.minutes(10)), arguments: Backend.allCases) func theSequencerGoesOnAfterAnError(_ backend: Backend)
    async throws
  {
    let store = try await Store(backend)
    let log = try await EventLog.open(store.database, random: random)
    let sequencer = sequencer(store, log)
    store.database.close()
    let failures = AsyncSignal()
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        try? await sequencer.run(sleep: { _ in try Task.checkCancellation() }, onError: { _ in failures.raise() })
      }
      try? await failures.wait(after: 1)
      group.cancelAll()
    }
    #expect(failures.count >= 2)
  }

  @Test(arguments: Backend.allCases) func tokensOfAnotherLifeOfTheDatabaseAreRefused(_ backend: Backend) async throws {
    let store = try await Store(backend)
    let log = try await EventLog.open(store.database, random: random)
    let other = ResumePosition(epoch: "other", positions: [0: 0])
    await #expect(throws: ResumePosition.Refused.otherEpoch) { try await log.position(token: other.token) }
    let ahead = log.beginning.moved(to: 1, in: 0)
    await #expect(throws: ResumePosition.Refused.otherEpoch) { try await log.position(token: ahead.token) }
    for garbage in [
      "x", "!!", String(other.token.dropLast()), other.token + "AAAA", String(repeating: "A", count: 9_000),
    ] {
      await #expect(throws: ResumePosition.Refused.malformed) { try await log.position(token: garbage) }
    }
    #expect(try await log.position(token: "") == log.beginning)
  }

  @Test(arguments: Backend.allCases) func theEpochStaysWhenTheDatabaseIsOpenedAgain(_ backend: Backend) async throws {
    let store = try await Store(backend)
    let log = try await EventLog.open(store.database, random: random)
    #expect(try await EventLog.open(store.database, random: random).epoch == log.epoch)
    let another = try await Store(backend)
    #expect(try await EventLog.open(another.database, random: random).epoch != log.epoch)
  }
}
