import API
import CustomerService
import MainstayTesting
import RPCCore
import Testing

@Suite struct PartyImportTests {
  private let people = [person("1", "王", "丽华"), person("2", "李", "明"), person("3", "Berry", "Lachlan")]

  @Test func theSameImportAgainChangesNothing() async throws {
    let service = try await TestService()
    let first = try await service.importParties("febrl1", people)
    #expect((first.created, first.updated, first.unchanged) == (3, 0, 0))
    let memberships = try await service.memberships("febrl1")
    let second = try await service.importParties("febrl1", people)
    #expect((second.created, second.updated, second.unchanged) == (0, 0, 3))
    #expect(try await service.memberships("febrl1") == memberships)
    #expect(memberships.map(\.sourceKey) == ["1", "2", "3"])
    #expect(try await service.outbox().count == 3)
  }

  @Test func changedRowsAreUpdatedAndKeepTheirIds() async throws {
    let service = try await TestService()
    _ = try await service.importParties("a", people)
    let before = try await service.memberships("a")
    var changed = people
    changed[1].phones = ["13800000000"]
    let reply = try await service.importParties("a", changed)
    #expect((reply.created, reply.updated, reply.unchanged) == (0, 1, 2))
    #expect(try await service.memberships("a") == before)
    let party = try await service.party(before[1].partyID)
    #expect(party.phones == ["13800000000"])
    #expect(try await service.outbox().count == 4)
  }

  @Test func goodRowsAreTakenAndBadOnesNamedWithLineAndReason() async throws {
    let service = try await TestService()
    var broken = person("4", "保密")
    broken.kind = .person(Person(familyName: "保密", birthDate: CalendarDate(year: 1919, month: 13, day: 45)))
    broken.phones = ["", "1"]
    let reply = try await service.importParties(
      "a", [people[0], broken, person("", "x"), people[1], Party(sourceKey: "5")], firstLine: 10)
    #expect(reply.created == 2)
    #expect(
      reply.rejected == [
        RejectedRow(
          line: 11,
          reason: "person.birth_date: no such day; phones[0]: is empty; 1 to 64 characters are expected"),
        RejectedRow(line: 12, reason: "source_key: is empty; 1 to 128 characters are expected"),
        RejectedRow(line: 14, reason: "person: is required, unless company is given"),
      ])
    #expect(try await service.memberships("a").map(\.sourceKey) == ["1", "2"])
  }

  @Test func aKeyThatStandsTwiceInOneRequestCountsAsTwoRowsOneAfterAnother() async throws {
    let service = try await TestService()
    let rows = [person("1", "王"), person("1", "王"), person("1", "李"), person("2", "赵"), person("1", "李")]
    let reply = try await service.importParties("a", rows)
    #expect((reply.created, reply.updated, reply.unchanged) == (2, 1, 2))
    #expect(try await service.names("李") == ["李"])
    #expect(try await service.names("王") == [])
    #expect(try await service.outbox().map(\.version) == [1, 2, 1])
    let oneByOne = try await TestService()
    for row in rows { _ = try await oneByOne.importParties("a", [row]) }
    #expect(try await oneByOne.outbox().map(\.version) == [1, 2, 1])
  }

  @Test func theRequestsSourceCountsOverTheRows() async throws {
    let service = try await TestService()
    _ = try await service.importParties("a", [person("1", "王", source: "other")])
    let member = try #require(try await service.memberships("a").first)
    #expect(try await service.party(member.partyID).source == "a")
  }

  @Test func theKindOfAPartyNeverChanges() async throws {
    let service = try await TestService()
    _ = try await service.importParties("crm", [person("1", "王")])
    let reply = try await service.importParties("crm", [company("1", "平安")])
    #expect(
      reply.rejected == [
        RejectedRow(line: 2, reason: "company: the party is a person; the kind never changes")
      ])
  }

  @Test func aRequestHoldsOneToAThousandRowsOfOneSource() async throws {
    let service = try await TestService()
    #expect(await failure { try await service.importParties("a", []) }?.fields == ["rows"])
    #expect(await failure { try await service.importParties("", people) }?.fields == ["source"])
    let many = (0...1_000).map { person("\($0)", "王") }
    #expect(await failure { try await service.importParties("a", many) }?.fields == ["rows"])
    #expect(try await service.importParties("a", Array(many.dropLast())).created == 1_000)
  }

  @Test func eachRequestOfAStreamIsAnsweredInOrder() async throws {
    let service = try await TestService()
    let requests = (0..<5).map { chunk in
      ImportPartiesRequest(
        source: "a",
        rows: (0...chunk).map { ImportPartyRow(line: Int64($0), party: person("\(chunk)-\($0)", "王")) })
    }
    let replies: [ImportPartiesResponse] = try await service.streaming(CustomerServiceMethods.importParties, requests)
    #expect(replies.map(\.created) == [1, 2, 3, 4, 5])
  }

  @Test func twoCallersThatImportTheSameRowsCreateEachOnce() async throws {
    let service = try await TestService()
    let rows = (0..<400).map { person("\($0)", "王", "\($0)") }
    let replies = try await withThrowingTaskGroup(of: [ImportPartiesResponse].self) { group in
      for caller in 0..<4 {
        group.addTask {
          var replies: [ImportPartiesResponse] = []
          for start in stride(from: 0, to: 400, by: 50) {
            // Half of the callers come from the other end.
            let from = caller % 2 == 0 ? start : 350 - start
            replies.append(try await service.importParties("a", Array(rows[from..<from + 50])))
          }
          return replies
        }
      }
      return try await group.reduce(into: [ImportPartiesResponse]()) { $0 += $1 }
    }
    #expect(replies.reduce(0) { $0 + $1.created } == 400)
    #expect(replies.reduce(0) { $0 + $1.unchanged } == 1_200)
    #expect(try await service.memberships("a").count == 400)
    #expect(try await service.outbox().map(\.version) == Array(repeating: 1, count: 400))
  }

  @Test func newPartiesHaveIdsInTheOrderOfTheirRows() async throws {
    let service = try await TestService()
    _ = try await service.importParties("a", (0..<200).map { person("\(1_000 + $0)", "王") })
    let members = try await service.memberships("a")
    #expect(members.map(\.partyID) == members.map(\.partyID).sorted())
  }
}
