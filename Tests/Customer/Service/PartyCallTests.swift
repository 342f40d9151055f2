import API
import Core
import MainstayTesting
import RPCCore
import Testing

@Suite struct PartyCallTests {
  @Test func aCreatedPartyIsACustomerOfItsOwn() async throws {
    let service = try await TestService()
    var given = person("1", "王", "丽华", phones: ["13800000000"])
    given.partyID = "ignored"
    given.identifiers = [Identifier(type: .residentID, value: "11010519491231002X")]
    given.addresses = [Address(lines: ["长安街1号"], city: "北京", countryCode: "CN")]
    let party = try await service.create(given)
    #expect(party.partyID.hasPrefix("par_") && party.customerID.hasPrefix("cus_"))
    #expect(party.identifiers == given.identifiers && party.addresses == given.addresses)
    #expect(try await service.party(party.partyID) == party)
    let customer = try await service.customer(party.customerID)
    #expect(customer.displayName == "王丽华")
    #expect(customer.parties == [party])
    #expect(customer.createTime == party.createTime)
  }

  @Test func aKeyIsThereOnce() async throws {
    let service = try await TestService()
    let party = try await service.create(person("1", "王"))
    let error = await failure { try await service.create(person("1", "李")) }
    #expect(error?.code == .alreadyExists)
    #expect(error?.message.contains(party.partyID) == true)
    _ = try await service.create(person("1", "李", source: "other"))
  }

  @Test func everyBadFieldIsNamed() async throws {
    let service = try await TestService()
    var party = person("", "王", source: "CRM")
    party.kind = .person(Person(birthDate: CalendarDate(year: 2023, month: 2, day: 29), sex: Sex(rawValue: 9)))
    party.identifiers = [Identifier(value: " x")]
    let error = await failure { try await service.create(party) }
    #expect(error?.code == .invalidArgument)
    #expect(
      error?.fields == [
        "party.person.sex", "party.person.birth_date", "party.identifiers[0].type", "party.source", "party.source_key",
      ])
    #expect(
      await failure { try await service.create(Party()) }?.fields
        == ["party.person", "party.source", "party.source_key"])
    #expect(try await service.number("SELECT count(*) FROM party") == 0)
  }

  @Test func whatIsNotThereIsNotFound() async throws {
    let service = try await TestService()
    let unknown = "01J9ZQ3M5V8XK2T4R6W7Y0ABCD"
    #expect(await failure { try await service.party("par_\(unknown)") }?.code == .notFound)
    #expect(await failure { try await service.customer("cus_\(unknown)") }?.code == .notFound)
    #expect(await failure { try await service.customer("cus_nobody") }?.code == .notFound)
    #expect(await failure { try await service.customer("") }?.fields == ["customer_id"])
    #expect(await failure { try await service.party("cus_\(unknown)") }?.fields == ["party_id"])
  }

  @Test func validateOnlyChangesNothing() async throws {
    let service = try await TestService()
    let shown = try await service.create(person("1", "王"), requestID: "r", validateOnly: true)
    #expect(shown.partyID == "")
    #expect(try await service.number("SELECT count(*) FROM party") == 0)
    let party = try await service.create(person("1", "王"), requestID: "r")
    #expect(await failure { try await service.create(person("1", "王"), validateOnly: true) }?.code == .alreadyExists)
    var change = party
    change.phones = ["1"]
    #expect(try await service.update(change, "phones", validateOnly: true).phones == ["1"])
    #expect(try await service.party(party.partyID) == party)
    #expect(try await service.outbox().count == 1)
  }

  @Test func anUpdateReplacesTheFieldsOfItsMask() async throws {
    let service = try await TestService()
    let party = try await service.create(person("1", "王", "丽华", phones: ["1"]))
    var change = person("", "李", "x", phones: ["2"])
    change.partyID = party.partyID
    change.etag = party.etag
    let updated = try await service.update(change, "person.family_name")
    #expect(updated.kind == .person(Person(familyName: "李", givenName: "丽华")))
    #expect(updated.phones == ["1"] && updated.etag != party.etag)
    #expect(updated.sourceKey == "1" && updated.customerID == party.customerID)
    let customer = try await service.customer(party.customerID)
    #expect(customer.displayName == "李丽华" && customer.parties == [updated])
    #expect(customer.updateTime == updated.updateTime)
  }

  @Test func anUpdateWithAnOldEtagIsAborted() async throws {
    let service = try await TestService()
    var party = try await service.create(person("1", "王"))
    party.phones = ["1"]
    _ = try await service.update(party, "phones")
    party.phones = ["2"]
    #expect(await failure { try await service.update(party, "phones") }?.code == .aborted)
    party.etag = ""
    #expect(try await service.update(party, "phones").phones == ["2"])
  }

  @Test func anUpdateThatChangesNothingIsNoChange() async throws {
    let service = try await TestService()
    let party = try await service.create(person("1", "王", phones: ["1"]))
    #expect(try await service.update(party, "*") == party)
    #expect(try await service.outbox().count == 1)
  }

  @Test func anUpdateNamesWhatIsWrong() async throws {
    let service = try await TestService()
    var party = try await service.create(person("1", "王"))
    #expect(await failure { try await service.update(party) }?.fields == ["update_mask"])
    let unknown = await failure { try await service.update(party, "phones", "nickname", "source") }
    #expect(unknown?.fields == ["update_mask", "update_mask"])
    #expect(unknown?.message.contains("nickname") == true)
    party.phones = [""]
    #expect(await failure { try await service.update(party, "phones") }?.fields == ["party.phones[0]"])
    party.kind = .company(Company(name: "平安"))
    #expect(await failure { try await service.update(party, "*") }?.code == .invalidArgument)
    party.partyID = "par_01J9ZQ3M5V8XK2T4R6W7Y0ABCD"
    #expect(await failure { try await service.update(party, "emails") }?.code == .notFound)
  }

  @Test func concurrentUpdatesWithoutEtagAllTakeEffect() async throws {
    let service = try await TestService()
    let party = try await service.create(person("1", "王"))
    try await withThrowingTaskGroup(of: Void.self) { group in
      for paths in ["phones", "emails", "addresses", "source_attributes"] {
        group.addTask {
          var change = Party(partyID: party.partyID, phones: ["1"], emails: ["a@b"])
          change.addresses = [Address(city: "北京")]
          change.sourceAttributes = [API.SourceAttribute(name: "a", value: "b")]
          _ = try await service.update(change, paths)
        }
      }
      try await group.waitForAll()
    }
    let result = try await service.party(party.partyID)
    #expect(result.phones.count + result.emails.count + result.addresses.count + result.sourceAttributes.count == 4)
    #expect(try await service.outbox().map(\.version) == [1, 2, 3, 4, 5])
  }
}
