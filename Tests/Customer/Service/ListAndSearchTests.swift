import API
import Core
import MainstayTesting
import RPCCore
import Testing

@Suite struct ListAndSearchTests {
  @Test func partiesAreListedInOrderOfCreation() async throws {
    let service = try await TestService()
    var ids: [String] = []
    for number in 0..<7 {
      ids.append(try await service.create(person("\(9 - number)", source: number % 2 == 0 ? "a" : "b")).partyID)
    }
    func pages(_ source: String) async throws -> [[String]] {
      var pages: [[String]] = []
      var token = ""
      repeat {
        let reply: ListPartiesResponse = try await service.unary(
          CustomerServiceMethods.listParties, ListPartiesRequest(source: source, pageSize: 3, pageToken: token))
        pages.append(reply.parties.map(\.partyID))
        token = reply.nextPageToken
      } while !token.isEmpty
      return pages
    }
    #expect(try await pages("") == [Array(ids[0..<3]), Array(ids[3..<6]), [ids[6]]])
    #expect(try await pages("b") == [[ids[1], ids[3], ids[5]]])
    #expect(try await pages("none") == [[]])
  }

  @Test func customersAreListedWithTheirParties() async throws {
    let service = try await TestService()
    for number in 0..<5 { _ = try await service.create(person("\(number)", "王", "\(number)")) }
    let first: ListCustomersResponse = try await service.unary(
      CustomerServiceMethods.listCustomers, ListCustomersRequest(pageSize: 3))
    let second: ListCustomersResponse = try await service.unary(
      CustomerServiceMethods.listCustomers, ListCustomersRequest(pageSize: 3, pageToken: first.nextPageToken))
    #expect((first.customers + second.customers).flatMap(\.parties).map(\.sourceKey) == ["0", "1", "2", "3", "4"])
    #expect(second.nextPageToken.isEmpty)
  }

  @Test func aPageTokenBelongsToItsQuery() async throws {
    let service = try await TestService()
    for number in 0..<3 { _ = try await service.create(person("\(number)", "王")) }
    let reply: ListPartiesResponse = try await service.unary(
      CustomerServiceMethods.listParties, ListPartiesRequest(source: "crm", pageSize: 1))
    for request in [
      ListPartiesRequest(source: "other", pageToken: reply.nextPageToken), ListPartiesRequest(pageToken: "garbage"),
      ListPartiesRequest(pageToken: reply.nextPageToken),
    ] {
      let error = await failure { () async throws -> ListPartiesResponse in
        try await service.unary(CustomerServiceMethods.listParties, request)
      }
      #expect(error?.fields == ["page_token"])
    }
    let negative = await failure { () async throws -> ListPartiesResponse in
      try await service.unary(CustomerServiceMethods.listParties, ListPartiesRequest(pageSize: -1))
    }
    #expect(negative?.fields == ["page_size"])
  }

  @Test func aPageEndsBeforeItsReplyIsTooLarge() async throws {
    let service = try await TestService()
    let attributes = (0..<32).map { API.SourceAttribute(name: "a\($0)", value: String(repeating: "保", count: 1_024)) }
    let parties = (0..<40).map { number in
      var party = person("\(number)", "王")
      party.sourceAttributes = attributes
      return party
    }
    for start in stride(from: 0, to: 40, by: 20) {
      _ = try await service.importParties("crm", Array(parties[start..<start + 20]))
    }
    let reply: ListPartiesResponse = try await service.unary(
      CustomerServiceMethods.listParties, ListPartiesRequest(pageSize: 1_000))
    #expect(try reply.serialized().count < 4 << 20)
    #expect(reply.parties.count > 20 && !reply.nextPageToken.isEmpty)
  }

  @Test func chineseNamesAreFoundByAnyOfTheirCharacters() async throws {
    let service = try await TestService()
    for party in [
      person("1", "王", "丽华"), person("2", "王", "丽"), person("3", "李", "丽华"),
      company("4", "中国人寿保险股份有限公司", short: "国寿"), company("5", "保险经纪有限公司"),
    ] {
      _ = try await service.create(party)
    }
    #expect(try await service.names("丽华") == ["王丽华", "李丽华"])
    #expect(try await service.names("王丽") == ["王丽", "王丽华"])
    #expect(try await service.names("王") == ["王丽", "王丽华"])
    #expect(try await service.names("保险") == ["保险经纪有限公司", "中国人寿保险股份有限公司"])
    #expect(try await service.names("国寿") == ["中国人寿保险股份有限公司"])
    #expect(try await service.names("保险公司") == [])
  }

  @Test func latinNamesAreFoundByWordsInAnyOrderCaseAndWidth() async throws {
    let service = try await TestService()
    for party in [
      person("1", "Berry", "Lachlan"), person("2", "Berryman", "Kayla"), person("3", "O'Neil-Smith", "Ann"),
    ] {
      _ = try await service.create(party)
    }
    #expect(try await service.names("berry lach") == ["Lachlan Berry"])
    #expect(try await service.names("ＬＡＣＨＬＡＮ") == ["Lachlan Berry"])
    #expect(try await service.names("BERRY") == ["Lachlan Berry", "Kayla Berryman"].sorted { $0.count < $1.count })
    #expect(try await service.names("smith neil") == ["Ann O'Neil-Smith"])
    #expect(try await service.names("\" OR berry*)") == [])
    #expect(try await service.names("…") == [])
    #expect(await failure { try await service.search("") }?.fields == ["query"])
    #expect(await failure { try await service.search(String(repeating: "a", count: 257)) }?.fields == ["query"])
  }

  @Test func aChangedNameIsFoundAndTheOldOneIsNot() async throws {
    let service = try await TestService()
    var party = try await service.create(person("1", "王", "丽华"))
    party.kind = .person(Person(familyName: "李", givenName: "丽华"))
    _ = try await service.update(party, "person")
    #expect(try await service.names("王") == [])
    #expect(try await service.names("李丽华") == ["李丽华"])
    _ = try await service.importParties("crm", [person("1", "赵", "丽华")])
    #expect(try await service.names("李") == [])
    #expect(try await service.names("赵") == ["赵丽华"])
    #expect(try await service.number("SELECT count(*) FROM party_name") == 1)
  }

  @Test func searchGoesPageByPage() async throws {
    let service = try await TestService()
    _ = try await service.importParties(
      "crm", (0..<25).map { person("\($0)", "王", String(repeating: "华", count: $0 % 3)) })
    var keys: [String] = []
    var token = ""
    repeat {
      let reply = try await service.search("王", pageSize: 10, pageToken: token)
      keys += reply.customers.flatMap(\.parties).map(\.sourceKey)
      token = reply.nextPageToken
    } while !token.isEmpty
    #expect(keys == (0..<25).sorted { ($0 % 3, $0) < ($1 % 3, $1) }.map { "\($0)" })
  }

  @Test func membershipsComeInOrderOfTheirKeys() async throws {
    let service = try await TestService()
    _ = try await service.importParties("crm", ["b", "a", "c"].map { person($0, "王") })
    let first: ListMembershipsResponse = try await service.unary(
      CustomerServiceMethods.listMemberships, ListMembershipsRequest(source: "crm", pageSize: 2))
    #expect(first.memberships.map(\.sourceKey) == ["a", "b"])
    let second: ListMembershipsResponse = try await service.unary(
      CustomerServiceMethods.listMemberships,
      ListMembershipsRequest(source: "crm", pageSize: 2, pageToken: first.nextPageToken))
    #expect(second.memberships.map(\.sourceKey) == ["c"])
    let member = try #require(second.memberships.first)
    #expect(try await service.party(member.partyID).customerID == member.customerID)
    #expect(await failure { try await service.memberships("") }?.fields == ["source"])
  }
}
