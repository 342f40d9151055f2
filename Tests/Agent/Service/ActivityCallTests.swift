import API
import MainstayTesting
import RPCCore
import Testing

@Suite struct ActivityCallTests {
  private static let start: Int64 = 1_790_000_000

  private func scene() async throws -> (TestService, [String]) {
    let service = try await TestService()
    let branch = try await service.branch().branchID
    let first = try await service.create(agent("A1", in: branch)).agentID
    return (service, [first, try await service.create(agent("A2", in: branch)).agentID])
  }

  @Test func aThousandActivitiesAreRecordedTogetherAndListedLatestFirst() async throws {
    let (service, agents) = try await scene()
    // Out of order, and two of each agent at the same time.
    let activities = (0..<1_000).map {
      visit(agents[$0 % 2], at: Self.start + Int64($0 * 7_919 % 1_000 / 4), notes: "n\($0)")
    }
    let ids = try await service.record(activities)
    #expect(Set(ids).count == 1_000)
    var listed: [Activity] = []
    var token = ""
    repeat {
      let page = try await service.activities(of: agents[0], pageSize: 77, pageToken: token)
      listed += page.activities
      token = page.nextPageToken
    } while !token.isEmpty
    let expected = zip(ids, activities).compactMap { id, activity -> Activity? in
      var activity = activity
      activity.activityID = id
      return activity.agentID == agents[0] ? activity : nil
    }.sorted {
      ($0.activityTime?.seconds ?? 0, $0.activityID) > ($1.activityTime?.seconds ?? 0, $1.activityID)
    }
    #expect(listed == expected && listed.count == 500)
  }

  @Test(.enabled(if: TestDatabase.dialect == .sqlite, "the plan is told in SQLite's words"))
  func aListReadsOneRange() async throws {
    let (service, agents) = try await scene()
    _ = try await service.record([visit(agents[0], at: Self.start)])
    let plan = try await service.plan(
      """
      SELECT activity_time, activity_id, payload FROM activity WHERE agent_id = 'a' AND (activity_time, activity_id) < (1, 'b')
      ORDER BY activity_time DESC, activity_id DESC LIMIT 10
      """)
    #expect(plan.count == 1 && plan.first?.contains("SEARCH activity USING PRIMARY KEY (agent_id=? AND ") == true)
  }

  @Test func allAreRecordedOrNone() async throws {
    let (service, agents) = try await scene()
    var late = visit(agents[0], at: 1_800_000_000)
    late.durationMinutes = 2_000
    let error = await failure { try await service.record([visit(agents[0], at: Self.start), late, Activity()]) }
    #expect(
      error?.fields == [
        "activities[1].activity_time", "activities[1].duration_minutes", "activities[2].activity_time",
        "activities[2].agent_id", "activities[2].kind",
      ])
    let unknown = visit("agt_00000000000000000000000000", at: Self.start)
    let missing = await failure { try await service.record([visit(agents[0], at: Self.start), unknown]) }
    #expect(missing?.fields == ["activities[1].agent_id"])
    #expect(try await service.activities(of: agents[0]).activities == [])
  }

  @Test func aRequestHasOneToAThousandActivities() async throws {
    let (service, agents) = try await scene()
    #expect(await failure { try await service.record([]) }?.fields == ["activities"])
    let many = Array(repeating: visit(agents[0], at: Self.start), count: 1_001)
    #expect(await failure { try await service.record(many) }?.fields == ["activities"])
  }

  @Test func aRepetitionRecordsNothingTwice() async throws {
    let (service, agents) = try await scene()
    let activities = [visit(agents[0], at: Self.start), visit(agents[1], at: Self.start)]
    let ids = try await service.record(activities, requestID: "r1")
    #expect(try await service.record(activities, requestID: "r1") == ids)
    #expect(try await service.number("SELECT count(*) FROM activity") == 2)
    #expect(await failure { try await service.record([activities[0]], requestID: "r1") }?.fields == ["request_id"])
  }

  @Test func aTokenOfAnotherAgentIsRefused() async throws {
    let (service, agents) = try await scene()
    _ = try await service.record((0..<3).map { visit(agents[0], at: Self.start + $0) })
    let token = try await service.activities(of: agents[0], pageSize: 1).nextPageToken
    #expect(await failure { try await service.activities(of: agents[1], pageToken: token) }?.fields == ["page_token"])
  }
}
