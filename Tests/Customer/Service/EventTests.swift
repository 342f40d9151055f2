import API
import Core
import MainstayTesting
import Protobuf
import RPCCore
import Storage
import Testing

@Suite struct EventTests {
  private func subscribe(_ service: TestService, _ request: SubscribeRequest) async throws -> [SubscribeResponse] {
    try await service.streaming(EventServiceMethods.subscribe, [request])
  }

  /// Everything so far, once all of it has its place.
  private func all(_ service: TestService, types: [String] = []) async throws -> [SubscribeResponse] {
    while try await service.number("SELECT count(*) FROM event WHERE position IS NULL") > 0 { await Task.yield() }
    return try await subscribe(service, SubscribeRequest(types: types, untilCaughtUp: true))
  }

  @Test func everyCommittedChangeHasExactlyOneEvent() async throws {
    let service = try await TestService()
    try await service.whileRunning {
      let party = try await service.create(person("1", "王", "丽华"), requestID: "r")
      _ = try await service.create(person("1", "王", "丽华"), requestID: "r")
      _ = await failure { try await service.create(person("1", "王", "丽华")) }
      var change = party
      change.phones = ["1"]
      _ = try await service.update(change, "phones")
      _ = await failure { try await service.update(party, "emails", "x") }
      let created = try await service.create(policy("P1", holder: "C1"))
      _ = try await service.change(
        ChangePolicyStateRequest(
          policyID: created.policyID, state: .grace, effectiveDate: CalendarDate(year: 2026, month: 3, day: 1),
          reason: "premium unpaid"))
      let events = try await all(service).flatMap(\.events)
      let ofParty = events.filter { $0.aggregateID == party.partyID }
      #expect(ofParty.map(\.aggregateVersion) == [1, 2])
      let first = try PartyChanged(serialized: try #require(ofParty.first?.payload).value)
      #expect(
        first
          == PartyChanged(
            partyID: party.partyID, customerID: party.customerID, source: "crm", sourceKey: "1", displayName: "王丽华",
            created: true))
      #expect(try PartyChanged(serialized: try #require(ofParty.last?.payload).value).changedFields == ["phones"])
      let ofPolicy = events.filter { $0.aggregateID == created.policyID }
      let moved = try #require(ofPolicy.last)
      let payload = try PolicyChanged(serialized: try #require(moved.payload).value)
      #expect((payload.previousState, payload.policy?.state, payload.reason) == (.inForce, .grace, "premium unpaid"))
      // The first of March begins in Shanghai eight hours before it does in UTC.
      #expect(moved.effectiveTime?.seconds == 1_772_294_400)
      #expect(
        moved.actor == "tester" && moved.payload?.typeURL == "type.googleapis.com/mainstay.customer.v1.PolicyChanged")
      #expect(events.count == 5 && Set(events.map(\.eventID)).count == 5)
    }
  }

  @Test func eventsHoldNoSensitiveFacts() async throws {
    let service = try await TestService()
    var party = person("1", "王", phones: ["13800000000"])
    party.emails = ["secret@example.com"]
    _ = try await service.create(party)
    var contract = policy("P1")
    contract.attributes = [API.SourceAttribute(name: "note", value: "secret@example.com")]
    _ = try await service.create(contract)
    for event in try await service.outbox() {
      let text = String(decoding: event.payload, as: UTF8.self)
      #expect(!text.contains("secret") && !text.contains("138"))
    }
  }

  @Test func aSubscriptionGoesOnWhereItsTokenSays() async throws {
    let service = try await TestService()
    try await service.whileRunning {
      _ = try await service.importParties("a", (0..<600).map { person("\($0)", "王") })
      let replies = try await all(service)
      #expect(replies.allSatisfy { $0.events.count <= 256 })
      #expect(replies.flatMap(\.events).count == 600)
      #expect(replies.map(\.caughtUp) == [false, false, true])
      let rest = try await subscribe(
        service, SubscribeRequest(resumeToken: replies[0].resumeToken, untilCaughtUp: true))
      #expect(rest.flatMap(\.events) == replies.dropFirst().flatMap(\.events))
      let end = try await subscribe(
        service, SubscribeRequest(resumeToken: replies[2].resumeToken, untilCaughtUp: true))
      #expect(end.map(\.events.count) == [0] && end.map(\.caughtUp) == [true])
    }
  }

  @Test func onlyEventsOfTheNamedTypesAreSent() async throws {
    let service = try await TestService()
    try await service.whileRunning {
      _ = try await service.importPolicies("core", (0..<10).map { policy("P\($0)", holder: "C") })
      let replies = try await all(service, types: [PartyChanged.fullName])
      #expect(replies.flatMap(\.events).map(\.type) == [PartyChanged.fullName])
      #expect(replies.last?.resumeToken == (try await all(service).last?.resumeToken))
      #expect(try await all(service, types: ["none"]).flatMap(\.events) == [])
    }
  }

  @Test func aTokenThatIsNoneIsRefused() async throws {
    let service = try await TestService()
    let garbage = await failure { try await subscribe(service, SubscribeRequest(resumeToken: "garbage")) }
    #expect(garbage?.code == .invalidArgument && garbage?.fields == ["resume_token"])
    let other = try await TestService()
    let token = try #require(try await subscribe(other, SubscribeRequest(untilCaughtUp: true)).last).resumeToken
    #expect(await failure { try await subscribe(service, SubscribeRequest(resumeToken: token)) }?.code == .outOfRange)
  }

  @Test func aSubscriberIsToldOfNewEventsUntilItGoesAway() async throws {
    let service = try await TestService()
    try await service.whileRunning {
      let exchange = Exchange()
      let call = Task { try await service.run(EventServiceMethods.subscribe, [SubscribeRequest()], exchange) }
      let empty = try await exchange.wait(SubscribeResponse.self) { !$0.isEmpty }
      #expect(exchange.headersSent && empty.map(\.caughtUp) == [true])
      let party = try await service.create(person("1", "王"))
      let replies = try await exchange.wait(SubscribeResponse.self) { !$0.flatMap(\.events).isEmpty }
      #expect(replies.flatMap(\.events).map(\.aggregateID) == [party.partyID])
      call.cancel()
      #expect(await failure { try await call.value }?.code == .cancelled)
    }
  }
}
