import Core
import EventFollowing
import Testing

@Suite struct LagTests {
  private func time(_ seconds: Int64) -> Timestamp { Timestamp(microsecondsSinceEpoch: seconds * 1_000_000) }

  @Test func aFollowersLagIsTheTimeSinceItKnewAll() {
    var status = EventFollower.Status()
    #expect(status.lagSeconds(at: time(100)) == nil)
    // On its way: as far as the last event that it has applied.
    (status.isConnected, status.lastRecordedTime) = (true, time(40))
    #expect(status.lagSeconds(at: time(100)) == 60)
    (status.isCaughtUp, status.caughtUpTime) = (true, time(90))
    #expect(status.lagSeconds(at: time(100)) == 0)
    // Cut off: it knew all when it had caught up last.
    (status.isConnected, status.isCaughtUp) = (false, false)
    #expect(status.lagSeconds(at: time(100)) == 10)
    #expect(status.lagSeconds(at: time(80)) == 0)
  }
}
