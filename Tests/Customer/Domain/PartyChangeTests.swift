import Core
import CustomerDomain
import Testing

@Suite struct PartyChangeTests {
  let party = PartyFacts(
    reference: SourceReference(source: "crm", key: "1"),
    subject: .person(Person(familyName: "王", givenName: "丽华", birthDate: CivilDate("1990-02-28"), sex: .female)),
    phones: ["1"], emails: ["a@b"])

  private func updated(_ values: PartyUpdate, _ paths: String...) throws -> PartyFacts {
    try party.updated(with: values, mask: try PartyUpdateMask(paths: paths))
  }

  @Test func onlyFieldsOfTheMaskAreReplaced() throws {
    let values = PartyUpdate(subject: .person(Person(familyName: "李", givenName: "明")), phones: ["2"], emails: ["c@d"])
    let result = try updated(values, "person.family_name", "phones")
    #expect(
      result.subject
        == .person(
          Person(familyName: "李", givenName: "丽华", birthDate: CivilDate("1990-02-28"), sex: .female)))
    #expect(result.phones == ["2"])
    #expect(result.emails == ["a@b"])
    #expect(party.changedFields(to: result) == ["person", "phones"])
  }

  @Test func aFieldThatIsNamedAndNotGivenIsCleared() throws {
    let result = try updated(PartyUpdate(), "person.birth_date", "emails")
    #expect(result.subject == .person(Person(familyName: "王", givenName: "丽华", sex: .female)))
    #expect(result.emails == [])
  }

  @Test("person, person.* and * replace the whole person", arguments: ["person", "person.*", "*"])
  func whole(_ path: String) throws {
    let result = try updated(PartyUpdate(subject: .person(Person(fullName: "王小明"))), path)
    #expect(result.subject == .person(Person(fullName: "王小明")))
    #expect(result.phones == (path == "*" ? [] : ["1"]))
    #expect(throws: InvalidRecord.self) { try updated(PartyUpdate(), path) }
  }

  @Test("the kind never changes", arguments: ["*", "company", "company.name", "person", "person.sex"])
  func kind(_ path: String) {
    #expect(throws: InvalidRecord.self) {
      try updated(PartyUpdate(subject: .company(Company(name: "平安"))), path)
    }
  }

  @Test func aMaskNamesKnownFieldsOnly() throws {
    let expected = ["source", "person.nickname", "etag", "phones.0"]
    let fault = #expect(throws: InvalidRecord.self) { try PartyUpdateMask(paths: expected + ["phones"]) }
    let reasons = fault?.violations.map(\.reason) ?? []
    #expect(reasons == expected.map { "\"\($0)\" is no field that an update may change" })
    #expect(throws: InvalidRecord.self) { try PartyUpdateMask(paths: []) }
  }

  @Test func theResultIsValidatedAsAWhole() {
    let fault = #expect(throws: InvalidRecord.self) { try updated(PartyUpdate(phones: [""]), "phones") }
    #expect(fault?.violations.map(\.path) == ["phones[0]"])
  }

  @Test func equalFactsHaveNoChangedFields() {
    #expect(party.changedFields(to: party) == [])
  }
}
