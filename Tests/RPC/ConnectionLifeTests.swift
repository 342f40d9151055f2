import Testing

@testable import RPCTransport

/// Seconds in the nanoseconds that a connection's life counts in.
private func at(_ seconds: Double) -> UInt64 { UInt64(seconds * 1_000_000_000) }

@Suite("What is due on a connection, and when")
struct ConnectionLifeTests {
  private let quiet = ConnectionLife.Facts()
  private let busy = ConnectionLife.Facts(activeStreams: 1)

  private func life(
    _ limits: ConnectionLimits = .server, jitter: UInt64 = 0, _ change: (inout ConnectionLimits) -> Void = { _ in }
  ) -> Life {
    var limits = limits
    change(&limits)
    return Life(ConnectionLife(limits, now: 0, jitter: jitter))
  }

  @Test("A silent peer is pinged, and cut if it stays silent; any bytes are a sign of life")
  func keepalive() {
    let life = self.life { $0.keepaliveTime = .seconds(100) }
    #expect(life.due(quiet, 99) == nil)
    #expect(life.due(quiet, 100) == .ping)
    #expect(life.due(quiet, 101) == nil)
    life.value.lastRead = at(110)
    #expect(life.due(quiet, 209) == nil)
    #expect(life.due(quiet, 210) == .ping)
    #expect(life.due(quiet, 229) == nil)
    #expect(life.due(quiet, 230) == .close("the peer gave no sign of life (keepalive)"))
  }

  @Test("After an answer the next ping comes in its time, though an answer may take longer than that")
  func answeredPings() {
    let life = self.life { $0.keepaliveTime = .seconds(10) }
    #expect(life.due(quiet, 10) == .ping)
    #expect(life.value.next(quiet, at: at(10)) == .wait(untilNanoseconds: at(20)))
    life.value.lastRead = at(11)
    #expect(life.value.next(quiet, at: at(20)) == .wait(untilNanoseconds: at(21)))
    #expect(life.due(quiet, 21) == .ping)
    // Without an answer it waits for nothing but the end.
    #expect(life.value.next(quiet, at: at(31)) == .wait(untilNanoseconds: at(41)))
  }

  @Test("A client pings only while calls run, unless it is told to")
  func pingsWithoutCalls() {
    let life = self.life(.client) { $0.keepaliveTime = .seconds(10) }
    #expect(life.due(quiet, 50) == nil)
    #expect(life.due(busy, 50) == .ping)
    let eager = self.life(.client) {
      $0.keepaliveTime = .seconds(10)
      $0.pingsWithoutCalls = true
    }
    #expect(eager.due(quiet, 50) == .ping)
  }

  @Test("A peer that pings too often is forgiven twice, and data sent in between are a reason to ping")
  func strikes() {
    func pings(_ times: [Double], activeStreams: Int = 1, hasSent: Bool = false) -> [Bool] {
      let life = self.life()
      return times.map { life.value.receivedPing(activeStreams: activeStreams, hasSent: hasSent, at: at($0)) }
    }
    #expect(pings([1, 2, 3, 4]) == [true, true, true, false])
    #expect(pings([1, 301, 602, 903, 1_300]) == [true, true, true, true, true])
    #expect(pings([1, 302, 603, 904], activeStreams: 0) == [true, true, true, false])
    #expect(pings([1, 2, 3, 4, 5], hasSent: true) == [true, true, true, true, true])
  }

  @Test("A connection that is too old is drained, a tenth sooner or later, and cut after the grace")
  func age() {
    for (jitter, seconds) in [(0, 90.0), (at(10), 100.0), (at(20) - 1, 110.0)] {
      let life = self.life(jitter: jitter) {
        $0.maximumAge = .seconds(100)
        $0.ageGrace = .seconds(5)
      }
      #expect(life.due(busy, seconds - 0.1) == nil)
      #expect(life.due(busy, seconds) == .drain)
      life.value.announced(at: at(seconds))
      life.value.refused(at: at(seconds + 1))
      #expect(life.due(busy, seconds + 5.9) == nil)
      #expect(
        life.due(busy, seconds + 6)
          == .close("the connection is too old, and its calls have not ended within the grace"))
    }
  }

  @Test("A connection that is not used is drained, also when the peer does not answer the drain's ping")
  func idle() {
    let life = self.life { $0.idleTime = .seconds(60) }
    #expect(life.due(busy, 1_000) == nil)
    life.value.emptySince = at(1_000)
    #expect(life.due(quiet, 1_059) == nil)
    #expect(life.due(quiet, 1_060) == .drain)
    life.value.announced(at: at(1_060))
    #expect(life.due(quiet, 1_079) == nil)
    #expect(life.due(quiet, 1_080) == .refuseStreams)
  }

  @Test("Headers that do not end, and output that nobody takes, end the connection")
  func slowPeer() {
    let life = self.life()
    var facts = ConnectionLife.Facts(activeStreams: 1, openHeaderBlock: 1)
    #expect(life.due(facts, 1) == nil)
    #expect(life.due(facts, 10) == nil)
    facts.openHeaderBlock = 2
    #expect(life.due(facts, 11) == nil)
    #expect(life.due(facts, 20) == nil)
    #expect(life.due(facts, 21) == .close("the peer does not end its headers"))
    life.value.lastWrite = at(30)
    let blocked = ConnectionLife.Facts(activeStreams: 1, isOutputBlocked: true)
    #expect(life.due(blocked, 89) == nil)
    #expect(life.due(blocked, 90) == .close("the peer takes no data"))
  }

  @Test("A connection without calls waits for its next end only; one with calls is looked at from time to time")
  func timers() {
    let life = self.life { $0.idleTime = .seconds(60) }
    #expect(life.value.next(quiet, at: 0) == .wait(untilNanoseconds: at(60)))
    life.value.wake(at: at(1))
    #expect(life.value.next(busy, at: at(1)) == .wait(untilNanoseconds: at(3.5)))
    #expect(life.value.next(busy, at: at(3.5)) == .lookForStalls)
    #expect(life.value.next(busy, at: at(3.5)) == .wait(untilNanoseconds: at(6)))
  }
}

/// A life that assertions may ask, although asking changes it.
private final class Life {
  var value: ConnectionLife

  init(_ value: ConnectionLife) { self.value = value }

  /// What is done at this time beside looking for stalls; nil if nothing.
  func due(_ facts: ConnectionLife.Facts, _ seconds: Double) -> ConnectionLife.Action? {
    while true {
      switch value.next(facts, at: at(seconds)) {
      case .lookForStalls: continue
      case .wait: return nil
      case let action: return action
      }
    }
  }
}
