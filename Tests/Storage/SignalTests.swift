import Storage
import Testing

@Suite(.timeLimit(.minutes(10))) struct SignalTests {
  @Test func allWhoWaitAreWoken() async throws {
    let signal = AsyncSignal()
    let seen = signal.count
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<100 { group.addTask { try await signal.wait(after: seen) } }
      signal.raise()
      try await group.waitForAll()
    }
  }

  @Test func whatHappenedSinceTheCountWasNotedIsNotMissed() async throws {
    let signal = AsyncSignal()
    let seen = signal.count
    signal.raise()
    try await signal.wait(after: seen)
  }

  @Test func aCancelledTaskStopsWaiting() async {
    let signal = AsyncSignal()
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<100 {
        group.addTask { await #expect(throws: CancellationError.self) { try await signal.wait(after: 0) } }
      }
      group.cancelAll()
    }
  }

  @Test func tooManyWaitersAreRefused() async {
    let signal = AsyncSignal(maximumWaiters: 0)
    await #expect(throws: StorageError.overloaded(queue: "subscribers", limit: 0)) { try await signal.wait(after: 0) }
  }
}
