import API
import MainstayTesting
import RPCCore
import Synchronization
import Testing

@Suite struct RepeatedRequestTests {
  @Test func aRepetitionGetsTheFirstAnswer() async throws {
    let service = try await TestService()
    let first = try await service.create(person("1", "王"), requestID: "r1")
    var change = first
    change.phones = ["1"]
    change.etag = ""
    let changed = try await service.update(change, "phones", requestID: "r2")
    #expect(try await service.create(person("1", "王"), requestID: "r1") == first)
    #expect(try await service.update(change, "phones", requestID: "r2") == changed)
    #expect(try await service.outbox().count == 2)
  }

  @Test func otherContentUnderTheSameIdIsRefused() async throws {
    let service = try await TestService()
    _ = try await service.create(person("1", "王"), requestID: "r1")
    let error = await failure { try await service.create(person("2", "王"), requestID: "r1") }
    #expect(error?.code == .invalidArgument && error?.fields == ["request_id"])
    #expect(try await service.number("SELECT count(*) FROM party") == 1)
  }

  @Test func anotherCallersIdIsAnotherRequest() async throws {
    let service = try await TestService()
    _ = try await service.create(person("1", "王"), requestID: "r1", caller: "a")
    _ = try await service.create(person("2", "王"), requestID: "r1", caller: "b")
  }

  @Test func equalRequestsAtTheSameTimeHappenOnce() async throws {
    let service = try await TestService()
    let answers = try await withThrowingTaskGroup(of: Party.self) { group in
      for _ in 0..<16 { group.addTask { try await service.create(person("1", "王"), requestID: "r1") } }
      return try await group.reduce(into: [Party]()) { $0.append($1) }
    }
    #expect(answers.count == 16 && Set(answers.map(\.partyID)).count == 1)
    #expect(try await service.number("SELECT count(*) FROM party") == 1)
    #expect(try await service.outbox().count == 1)
  }

  @Test func anEqualRequestThatGetsInBetweenAnswersForBoth() async throws {
    let service = try await TestService()
    let request = CreatePartyRequest(party: person("1", "王"), requestID: "r1")
    // Just before the second request looks whether the key is there, the first one commits.
    let beside = try await service.beside { sql in
      if sql.contains("source_key = ?") { _ = try await service.create(person("1", "王"), requestID: "r1") }
    }
    let answer: Party = try await service.unary(CustomerServiceMethods.createParty, request, router: beside)
    #expect(try await service.party(answer.partyID) == answer)
    #expect(try await service.outbox().count == 1)
  }

  @Test func nobodyLooksForAnEarlierAnswerBeforeARequestThatIsTheFirst() async throws {
    let service = try await TestService()
    let lookups = Mutex(0)
    let beside = try await service.beside { sql in
      if sql.contains("FROM idempotency") { lookups.withLock { $0 += 1 } }
    }
    let request = CreatePartyRequest(party: person("1", "王"), requestID: "r1")
    let first: Party = try await service.unary(CustomerServiceMethods.createParty, request, router: beside)
    #expect(lookups.withLock { $0 } == 0)
    #expect(try await service.unary(CustomerServiceMethods.createParty, request, router: beside) == first)
    #expect(lookups.withLock { $0 } == 1)
  }

  @Test func aRefusedRequestMayBeMadeAgain() async throws {
    let service = try await TestService()
    #expect(await failure { try await service.create(person("1", source: "X"), requestID: "r1") } != nil)
    _ = try await service.create(person("1", "王"), requestID: "r1")
  }

  @Test func aRequestIdHasAtMost64Characters() async throws {
    let service = try await TestService()
    let error = await failure {
      try await service.create(person("1"), requestID: String(repeating: "r", count: 65))
    }
    #expect(error?.fields == ["request_id"])
  }

  @Test func policiesAreRepeatedTheSameWay() async throws {
    let service = try await TestService()
    let first = try await service.create(policy("P1"), requestID: "r1")
    #expect(try await service.create(policy("P1"), requestID: "r1") == first)
    let move = ChangePolicyStateRequest(policyID: first.policyID, state: .grace, requestID: "r2")
    let moved = try await service.change(move)
    #expect(try await service.change(move) == moved)
    let other = ChangePolicyStateRequest(policyID: first.policyID, state: .paidUp, requestID: "r2")
    #expect(await failure { try await service.change(other) }?.fields == ["request_id"])
  }
}
