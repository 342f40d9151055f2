import API
import MainstayTesting
import Protobuf
import RPCCore
import Testing

@Suite struct EventTests {
  @Test func everyCommittedChangeHasExactlyOneEvent() async throws {
    let service = try await TestService()
    try await service.whileRunning {
      let branch = try await service.branch(requestID: "b")
      _ = try await service.branch(requestID: "b")
      let team = try await service.team("一队", in: branch.branchID)
      let created = try await service.create(agent("A1", in: branch.branchID, team: team.teamID))
      _ = await failure { try await service.create(agent("A1", in: branch.branchID)) }
      let licensed = try await service.add(licence("L1"), to: created.agentID)
      let left = try await service.change(
        created.agentID, to: .left, on: CalendarDate(year: 2026, month: 3, day: 1), reason: "moved away")
      let ids = try await service.record([visit(created.agentID, at: 1_790_000_000, notes: "secret")])
      while try await service.number("SELECT count(*) FROM event WHERE position IS NULL") > 0 { await Task.yield() }
      let replies: [SubscribeResponse] = try await service.streaming(
        EventServiceMethods.subscribe, [SubscribeRequest(untilCaughtUp: true)])
      let events = replies.flatMap(\.events)
      #expect(events.count == 6 && Set(events.map(\.eventID)).count == 6)

      func payloads<Payload: Message>(_ id: String, _: Payload.Type) throws -> [Payload] {
        try events.filter { $0.aggregateID == id && $0.type == Payload.fullName }
          .map { try Payload(serialized: $0.payload?.value ?? []) }
      }
      #expect(try payloads(branch.branchID, BranchChanged.self) == [BranchChanged(branch: branch)])
      #expect(try payloads(team.teamID, TeamChanged.self) == [TeamChanged(team: team)])
      #expect(
        try payloads(created.agentID, AgentChanged.self) == [
          AgentChanged(agent: created), AgentChanged(agent: licensed, previousState: .active),
          AgentChanged(agent: left, previousState: .active, reason: "moved away"),
        ])
      let ofAgent = events.filter { $0.aggregateID == created.agentID }
      #expect(ofAgent.map(\.aggregateVersion) == [1, 2, 3])
      // The first of March begins in Shanghai eight hours before it does in UTC.
      #expect(ofAgent.last?.effectiveTime?.seconds == 1_772_294_400 && ofAgent.last?.actor == "tester")
      var activity = visit(created.agentID, at: 1_790_000_000)
      activity.activityID = try #require(ids.first)
      #expect(try payloads(activity.activityID, ActivityRecorded.self) == [ActivityRecorded(activity: activity)])
    }
  }

  @Test func eventsHoldNoNotes() async throws {
    let service = try await TestService()
    let branch = try await service.branch().branchID
    let id = try await service.create(agent("A1", in: branch)).agentID
    _ = try await service.record([visit(id, at: 1_790_000_000, notes: "secret")])
    #expect(try await service.activities(of: id).activities.map(\.notes) == ["secret"])
    for event in try await service.outbox() {
      #expect(!String(decoding: event.payload, as: UTF8.self).contains("secret"))
    }
  }
}
