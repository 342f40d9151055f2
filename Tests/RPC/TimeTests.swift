import Core
import Testing

@testable import RPCTransport

@Suite("Timers and back-off")
struct TimeTests {
  @Test("The timer queue gives what a sorted list gives, with cancellations", arguments: 0..<30)
  func timerQueue(_ seed: UInt64) {
    let random = SeededRandom(seed)
    var queue = TimerQueue()
    var model: [LoopTimer] = []
    for _ in 0..<500 {
      switch random.below(5) {
      case 0, 1, 2:
        let timer = LoopTimer(deadlineNanoseconds: UInt64(random.below(100)), action: {})
        queue.insert(timer)
        model.append(timer)
      case 3 where !model.isEmpty:
        let timer = model.remove(at: random.below(model.count))
        queue.remove(timer)
        queue.remove(timer)
      default:
        let now = UInt64(random.below(100))
        var fired: [LoopTimer] = []
        while let timer = queue.expired(at: now) { fired.append(timer) }
        let due = model.filter { $0.deadlineNanoseconds <= now }
        model.removeAll { $0.deadlineNanoseconds <= now }
        #expect(fired.map(\.deadlineNanoseconds) == due.map(\.deadlineNanoseconds).sorted())
        #expect(Set(fired.map(ObjectIdentifier.init)) == Set(due.map(ObjectIdentifier.init)))
      }
      #expect(queue.count == model.count)
      #expect(queue.nextDeadline == model.map(\.deadlineNanoseconds).min())
    }
  }

  @Test("Back-off grows with jitter from 0.1 to 5 seconds and begins anew after a success")
  func backoff() {
    var backoff = Backoff()
    let random = SeededRandom(4)
    var expected = 1e8
    for _ in 0..<50 {
      let delay = Double(backoff.next(random))
      #expect((expected * 0.8...expected * 1.2).contains(delay))
      expected = min(expected * 1.6, 5e9)
    }
    backoff.reset()
    #expect(Double(backoff.next(random)) <= 1.2e8)
    var short = Backoff(maximum: .milliseconds(500))
    let longest = (0..<50).map { _ in short.next(random) }.max() ?? 0
    #expect((500_000_000...600_000_000).contains(longest))
  }

  @Test("A loop on which tasks have slept is given back when it stops, with its descriptors", .timeLimit(.minutes(5)))
  func sleepersLeaveNothing() async throws {
    weak var stopped: EventLoop?
    do {
      let loop = try EventLoop()
      stopped = loop
      try await loop.run {
        try await loop.sleep(for: .nanoseconds(1))
        let sleeper = loop.spawn { try? await loop.sleep(for: .seconds(3_600)) }
        try await loop.sleep(for: .nanoseconds(1))
        sleeper.cancel()
        await sleeper.value
      }
      loop.stop()
    }
    while stopped != nil { await Task.yield() }
  }

  @Test("A sleep of a loop ends at its time and not before")
  func sleep() async throws {
    let loop = try EventLoop()
    defer { loop.stop() }
    let clock = SystemClock()
    let before = clock.monotonicNanoseconds()
    try await loop.run { try await loop.sleep(for: .milliseconds(20)) }
    #expect(clock.monotonicNanoseconds() - before >= 20_000_000)
  }

  @Test("An idle loop stays awake the longer the more its pauses are short, and sleeps at once after a long one")
  func idlePolling() {
    var polling = IdlePolling(limit: 80_000)
    #expect(polling.window == 0)
    let windows = (0..<5).map { _ in
      polling.slept(80_000, until: 0)
      return polling.window
    }
    #expect(windows == [10_000, 20_000, 40_000, 80_000, 80_000])
    polling.slept(80_001, until: 0)
    #expect(polling.window == 0)
    var never = IdlePolling(limit: 0)
    never.slept(0, until: 0)
    #expect(never.window == 0)
  }

  @Test("A loop whose core somebody else wants sleeps at once, and does not look for work for a tenth of a second")
  func idlePollingRetreats() {
    var polling = IdlePolling(limit: 80_000)
    for _ in 0..<4 { polling.slept(1_000, until: 0) }
    let within = polling.goesOn(since: 0, lastLook: 30_000, at: 79_999)
    let beyond = polling.goesOn(since: 0, lastLook: 79_999, at: 80_000)
    #expect(within && !beyond)
    #expect(polling.window == 80_000)
    let interrupted = polling.goesOn(since: 100_000, lastLook: 100_000, at: 150_000)
    #expect(!interrupted)
    #expect(polling.window == 0)
    polling.slept(1_000, until: 100_149_999)
    #expect(polling.window == 0)
    polling.slept(1_000, until: 100_150_000)
    #expect(polling.window == 10_000)
  }
}
