import Core
import CustomerDomain
import Testing

@Suite struct PartyValidationTests {
  private func faults(
    source: String = "crm", key: String = "1", _ change: (inout PartyFacts) -> Void = { _ in }
  ) -> [String] {
    var facts = PartyFacts(reference: SourceReference(source: source, key: key), subject: .person(Person()))
    change(&facts)
    var faults = ViolationList()
    facts.validate(into: &faults)
    return faults.violations.map(\.path)
  }

  private func text(_ count: Int) -> String { String(repeating: "保", count: count) }

  @Test func aPersonWithoutANameIsTaken() { #expect(faults() == []) }

  @Test(
    "a source is 1 to 64 lower-case letters, digits, - or _",
    arguments: [
      ("febrl1", true), ("a-b_2", true), (String(repeating: "a", count: 64), true), ("", false), ("Crm", false),
      ("a b", false), ("源", false), (String(repeating: "a", count: 65), false),
    ])
  func source(_ source: String, isRight: Bool) { #expect(faults(source: source) == (isRight ? [] : ["source"])) }

  @Test func aKeyHas1To128Characters() {
    #expect(faults(key: text(128)) == [])
    #expect(faults(key: text(129)) == ["source_key"])
    #expect(faults(key: "") == ["source_key"])
  }

  @Test func everyLimitOfAPersonIsCheckedInCharacters() {
    #expect(
      faults {
        $0.subject = .person(Person(familyName: text(128), givenName: text(128), fullName: text(256)))
      } == [])
    #expect(
      faults {
        $0.subject = .person(Person(familyName: text(129), givenName: text(129), fullName: text(257)))
      } == ["person.family_name", "person.given_name", "person.full_name"])
  }

  @Test func everyLimitOfACompanyIsChecked() {
    #expect(
      faults { $0.subject = .company(Company(name: text(257), shortName: text(257))) }
        == ["company.name", "company.short_name"])
  }

  @Test func listsAreBounded() {
    #expect(
      faults {
        $0.identifiers = .init(repeating: PartyIdentifier(kind: .passport, value: "E1"), count: 17)
        $0.phones = .init(repeating: "1", count: 17)
        $0.emails = .init(repeating: "a", count: 17)
        $0.addresses = .init(repeating: PostalAddress(), count: 17)
        $0.attributes = .init(repeating: SourceAttribute(name: "a", value: ""), count: 33)
      } == ["identifiers", "phones", "emails", "addresses", "source_attributes"])
  }

  @Test func elementsAreNamedByTheirPlace() {
    #expect(
      faults {
        $0.identifiers = [
          PartyIdentifier(kind: .passport, value: "E1"),
          PartyIdentifier(kind: .openID, issuer: text(65), value: " E1"),
        ]
        $0.phones = ["", text(65)]
        $0.emails = [text(254), text(255)]
        $0.addresses = [
          PostalAddress(
            lines: [text(256), text(257)], district: text(129), city: text(129), province: text(129),
            postalCode: text(33), countryCode: "cn")
        ]
        $0.attributes = [SourceAttribute(name: "", value: text(1_024))]
      } == [
        "identifiers[1].issuer", "identifiers[1].value", "phones[0]", "phones[1]", "emails[1]", "addresses[0].lines[1]",
        "addresses[0].district", "addresses[0].city", "addresses[0].province", "addresses[0].postal_code",
        "addresses[0].country_code", "source_attributes[0].name",
      ])
  }

  @Test func reasonsHoldNoPersonalData() {
    var faults = ViolationList()
    let secret = "保密" + text(300)
    PartyFacts(
      reference: SourceReference(source: secret, key: secret), subject: .person(Person(familyName: secret)),
      identifiers: [PartyIdentifier(kind: .residentID, value: secret)], phones: [secret], emails: [secret]
    ).validate(into: &faults)
    #expect(faults.violations.count == 6)
    #expect(!InvalidRecord(faults.violations).description.contains("保密"))
  }
}

@Suite struct DisplayNameTests {
  @Test(
    "names are shown as their people write them",
    arguments: [
      (Person(familyName: "欧阳", givenName: "丽华"), "欧阳丽华"),
      (Person(familyName: "热西提", givenName: "阿卜杜·克里木"), "热西提阿卜杜·克里木"),
      (Person(familyName: "berry", givenName: "lachlan"), "lachlan berry"),
      (Person(familyName: "王", givenName: "Lily"), "Lily 王"),
      (Person(familyName: "waller"), "waller"),
      (Person(givenName: "丽华"), "丽华"),
      (Person(fullName: "王丽华"), "王丽华"),
      (Person(familyName: "王", givenName: "丽华", fullName: "WANG LIHUA"), "王丽华"),
      (Person(), ""),
    ])
  func person(_ person: Person, shown: String) { #expect(person.displayName == shown) }

  @Test func aCompanyIsShownByItsRegisteredName() {
    func shown(_ company: Company) -> String { Subject.company(company).displayName }
    #expect(shown(Company(name: "平安保险股份有限公司", shortName: "平安")) == "平安保险股份有限公司")
    #expect(shown(Company(shortName: "平安")) == "平安")
  }
}
