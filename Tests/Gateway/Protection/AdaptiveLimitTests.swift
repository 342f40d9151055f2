import Core
import Foundation
import Testing

@testable import Gateway

extension Double {
  var logarithm: Double { log(self) }
}

/// Against a simulated service with a known capacity, in simulated time.
@Suite struct AdaptiveLimitTests {
  private typealias Callers = SimulatedService.Callers
  private static let milliseconds = 1_000_000.0

  @Test func atThreeTimesItsCapacityAServiceAnswersAsManyAsItCanAndSoon() {
    // 500 µs a call: 2,000 calls a second.
    var service = SimulatedService(.init(), costNanoseconds: [1: 500_000])
    _ = service.offer([Callers(callsPerSecond: 500)], seconds: 5)
    _ = service.offer([Callers(callsPerSecond: 6_000)], seconds: 2)
    let outcome = service.offer([Callers(callsPerSecond: 6_000)], seconds: 60)[0]
    #expect(Double(outcome.answered.count) >= 0.95 * 2_000 * 60)
    #expect(Double(outcome.latency(atShare: 0.99)) < 100 * AdaptiveLimitTests.milliseconds)
    #expect(outcome.refused > 0)
  }

  @Test func withoutALimitTheSameLoadLetsEachCallWaitForAllBeforeIt() {
    var service = SimulatedService(.init(least: 1, most: 0), costNanoseconds: [1: 500_000])
    let outcome = service.offer([Callers(callsPerSecond: 6_000)], seconds: 20)[0]
    #expect(outcome.refused == 0)
    #expect(Double(outcome.latency(atShare: 0.99)) > 10_000 * AdaptiveLimitTests.milliseconds)
  }

  @Test func aServiceThatManagesIsNeverHeldUp() {
    // Eight at once of 20 ms each are 400 a second.
    var service = SimulatedService(.init(), costNanoseconds: [1: 20_000_000], workers: 8)
    let outcome = service.offer([Callers(callsPerSecond: 300)], seconds: 60)[0]
    #expect(outcome.refused == 0)
    #expect(service.limit.current == 2_000)
  }

  @Test func slowMethodsAmongFastOnesAreNoOverload() {
    var service = SimulatedService(.init(), costNanoseconds: [1: 100_000, 2: 400_000_000], workers: 64)
    let outcomes = service.offer(
      [Callers(callsPerSecond: 2_000), Callers(callsPerSecond: 40, method: 2)], seconds: 30)
    #expect(outcomes.map(\.refused) == [0, 0])
    #expect(outcomes[1].answered.count > 1_000)
  }

  @Test func callsOfPeopleFindRoomHoweverMuchProgramsAsk() {
    var service = SimulatedService(.init(), costNanoseconds: [1: 500_000])
    let load = [Callers(callsPerSecond: 100), Callers(priority: .background, callsPerSecond: 6_000)]
    _ = service.offer([load[0]], seconds: 2)
    _ = service.offer(load, seconds: 2)
    let outcomes = service.offer(load, seconds: 30)
    #expect(outcomes[0].refused == 0)
    #expect(outcomes[1].refused > 100_000)
    #expect(Double(outcomes[0].latency(atShare: 0.99)) < 100 * AdaptiveLimitTests.milliseconds)
    // What people leave is used.
    #expect(Double(outcomes[0].answered.count + outcomes[1].answered.count) >= 0.95 * 2_000 * 30)
  }

  @Test func programsAreNotShutOutByOtherPrograms() {
    var service = SimulatedService(.init(), costNanoseconds: [1: 500_000])
    let outcome = service.offer([Callers(priority: .background, callsPerSecond: 6_000)], seconds: 30)[0]
    #expect(Double(outcome.answered.count) >= 0.95 * 2_000 * 30)
  }

  @Test func aServiceThatHasBecomeSlowerForGoodIsUsedToTheFullAgain() {
    // 32 at once of 50 ms each, then of 400 ms: 80 a second.
    var service = SimulatedService(.init(least: 4), costNanoseconds: [1: 50_000_000], workers: 32)
    _ = service.offer([Callers(callsPerSecond: 300)], seconds: 20)
    service.costNanoseconds[1] = 400_000_000
    _ = service.offer([Callers(callsPerSecond: 300)], seconds: 60)
    let outcome = service.offer([Callers(callsPerSecond: 300)], seconds: 120)[0]
    #expect(Double(outcome.answered.count) >= 0.9 * 80 * 120)
  }

  @Test func theLimitComesBackWhenTheServiceHasRecovered() {
    var service = SimulatedService(.init(), costNanoseconds: [1: 500_000])
    _ = service.offer([Callers(callsPerSecond: 500)], seconds: 2)
    _ = service.offer([Callers(callsPerSecond: 6_000)], seconds: 10)
    #expect((service.limit.current ?? 0) < 200)
    _ = service.offer([Callers(callsPerSecond: 500)], seconds: 20)
    #expect(service.limit.current == 2_000)
  }

  @Test func callsWhoseTimeRunsOutLowerTheLimitThoughNoneTakesLong() {
    var limit = AdaptiveLimit(.init(), at: 0)
    // 2 ms by nature; then all calls are given 20 ms and none is answered in that time: less than the tolerated 50 ms.
    var now: UInt64 = 0
    func wave(_ size: Int, took: UInt64, hasExpired: Bool) {
      let began = now
      for _ in 0..<size { limit.began(.interactive) }
      now += took
      for _ in 0..<size { limit.ended(.interactive, method: 1, hasExpired: hasExpired, began: began, at: now) }
    }
    for _ in 0..<200 { wave(100, took: 2_000_000, hasExpired: false) }
    #expect((limit.current ?? 0) > 100)
    for _ in 0..<200 { wave(100, took: 20_000_000, hasExpired: true) }
    #expect(limit.current == 20)
  }

  @Test func clientsWithTooLittleTimeDoNotLowerTheLimit() {
    var limit = AdaptiveLimit(.init(), at: 0)
    var now: UInt64 = 0
    for round in 0..<400 {
      let hasExpired = round >= 200
      let began = now
      for _ in 0..<100 { limit.began(.interactive) }
      now += hasExpired ? 1_000_000 : 10_000_000
      for _ in 0..<100 { limit.ended(.interactive, method: 1, hasExpired: hasExpired, began: began, at: now) }
    }
    #expect((limit.current ?? 0) >= AdaptiveLimit.initial)
    #expect(limit.inFlight == 0)
  }

  @Test func newSettingsHoldAtOnce() {
    var limit = AdaptiveLimit(.init(), at: 0)
    limit.update(.init(least: 5, most: 10))
    #expect(limit.current == 10)
    limit.update(.init(least: 50, most: 100))
    #expect((50...100).contains(limit.current ?? 0))
    limit.update(.init(least: 1, most: 0))
    #expect(limit.current == nil)
    limit.update(.init(least: 30, most: 60))
    #expect((30...60).contains(limit.current ?? 0))
  }
}
