import RPCCore
import RPCTransport
import ServiceRuntime
import MainstayTesting
import Testing

/// Which replica gets a call, over real sockets.
@Suite(.timeLimit(.minutes(10))) struct ReplicaChoiceTests {
  @Test func `A replica that says it does not serve gets no calls until it says that it does`() async throws {
    let site = try await SteeredSite(2, settings: "")
    #expect(try await eventually { try await site.shares(of: 4) == [2, 2] })
    site.replicas[0].health.isServing = false
    #expect(
      try await eventually { try await site.figure("mainstay_upstream_replica_serving", ofReplica: 0) == 0 })
    #expect(try await site.shares(of: 10) == [0, 10])
    site.replicas[0].health.isServing = true
    #expect(try await eventually { try await site.shares(of: 4) == [2, 2] })
    #expect(try await site.figure("mainstay_upstream_replica_serving", ofReplica: 0) == 1)
    await site.stop()
  }

  @Test func `Where no replica serves calls fail with words that say so`() async throws {
    let site = try await SteeredSite(1, settings: "")
    #expect(try await site.shares(of: 1) == [1])
    site.replicas[0].health.isServing = false
    #expect(
      try await eventually { try await site.figure("mainstay_upstream_replica_serving", ofReplica: 0) == 0 })
    let error = try await site.call { channel in
      do {
        _ = try await channel.unary(SteeredReplica.method, framed: [0, 0, 0, 0, 0], CallOptions(timeout: .seconds(60)))
        return ""
      } catch { return "\(RPCError(converting: error))" }
    }
    #expect(error == "UNAVAILABLE: the interop service has no replica that serves now; try again")
    site.replicas[0].health.isServing = true
    #expect(try await eventually { try await site.answers(1) == [.ok] })
    await site.stop()
  }

  @Test(arguments: [true, false])
  func `A replica that knows no question for its health gets calls, as all do where none is asked`(
    isAsked: Bool
  ) async throws {
    let site = try await SteeredSite(
      2, settings: isAsked ? "" : "replicas: {health_checks: off}", asked: !isAsked)
    if !isAsked { for replica in site.replicas { replica.health.isServing = false } }
    #expect(try await eventually { try await site.shares(of: 4) == [2, 2] })
    await site.stop()
  }

  @Test(arguments: [StatusCode.unavailable, .internal])
  func `A replica to which calls fail is left out, and comes back`(failure: StatusCode) async throws {
    let site = try await SteeredSite(
      // Long enough for five calls to each on a machine with much to do, and for the figure to be seen.
      2, settings: "outlier_ejection: {interval_seconds: 3, base_seconds: 9, failure_calls: 5}")
    #expect(try await eventually { try await site.shares(of: 4) == [2, 2] })
    site.replicas[0].answer(failure)
    #expect(
      try await eventually {
        _ = try await site.answers(20)
        return try await site.figure("mainstay_upstream_replica_ejected", ofReplica: 0) == 1
      })
    #expect(try await site.figure("mainstay_upstream_replica_ejected", ofReplica: 1) == 0)
    site.replicas[0].answer(.ok)
    #expect(try await eventually { try await site.shares(of: 4) == [2, 2] })
    await site.stop()
  }

  @Test func `Answers that are the caller's fault leave no replica out, and the only one is never`() async throws {
    let settings = "outlier_ejection: {interval_seconds: 1, base_seconds: 60, failure_calls: 5}"
    let site = try await SteeredSite(2, settings: settings)
    let lone = try await SteeredSite(1, settings: settings)
    for replica in site.replicas { replica.answer(.invalidArgument) }
    lone.replicas[0].answer(.unavailable)
    // Several looks: one that left them out would be seen.
    for _ in 0..<3 {
      let end = ContinuousClock.now + .seconds(1)
      while ContinuousClock.now < end {
        #expect(Set(try await site.answers(20)) == [.invalidArgument])
        #expect(Set(try await lone.answers(20)) == [.unavailable])
      }
    }
    for index in 0...1 {
      #expect(try await site.figure("mainstay_upstream_replica_ejected", ofReplica: index) == 0)
    }
    #expect(try await lone.figure("mainstay_upstream_replica_ejected", ofReplica: 0) == 0)
    await site.stop()
    await lone.stop()
  }

  @Test func `Beyond the most calls to a service a call fails at once, and not any more when others have ended`()
    async throws
  {
    let site = try await SteeredSite(1, settings: "circuit_breaker: {calls: 2}")
    site.replicas[0].hang(true)
    let held = try await withThrowingTaskGroup(of: StatusCode.self) { group in
      for _ in 0..<2 { group.addTask { try await site.answers(1)[0] } }
      #expect(try await eventually { try await site.figure("mainstay_upstream_calls") == 2 })
      #expect(try await site.answers(1) == [.unavailable])
      #expect(site.replicas[0].calls == 2)
      site.replicas[0].hang(false)
      var codes: [StatusCode] = []
      for try await code in group { codes.append(code) }
      return codes
    }
    #expect(held == [.ok, .ok])
    #expect(try await site.answers(1) == [.ok])
    #expect(try await site.figure("mainstay_upstream_calls") == 0)
    #expect(try await site.figure("mainstay_upstream_refused_calls_total") == 1)
    await site.stop()
  }

  @Test func `A read that a replica does not answer goes to another one too, and the slow attempt is cancelled`()
    async throws
  {
    let site = try await SteeredSite(2, settings: "hedging: {delay_milliseconds: 20}")
    #expect(try await eventually { try await site.shares(of: 4) == [2, 2] })
    site.replicas[0].hang(true)
    let before = site.replicas[0].calls
    for _ in 0..<3 { #expect(try await site.answers(1) == [.ok]) }
    #expect(site.replicas[0].calls > before)
    #expect(await eventually { site.replicas[0].ended == site.replicas[0].calls })
    #expect(try await site.figure("mainstay_upstream_calls") == 0)
    await site.stop()
  }

  @Test func `A replica that fails a read does not fail the call while another attempt runs`() async throws {
    let site = try await SteeredSite(
      2, settings: "hedging: {delay_milliseconds: 20}\noutlier_ejection: {interval_seconds: 0}")
    #expect(try await eventually { try await site.shares(of: 4) == [2, 2] })
    for replica in site.replicas { replica.hang(true) }
    let before = site.replicas.map(\.calls)
    async let answer = site.answers(1)
    #expect(await eventually { zip(site.replicas, before).allSatisfy { $0.calls == $1 + 1 } })
    site.replicas[0].answer(.unavailable)
    site.replicas[0].hang(false)
    #expect(await eventually { site.replicas[0].ended == site.replicas[0].calls })
    site.replicas[1].hang(false)
    #expect(try await answer == [.ok])
    await site.stop()
  }
}
