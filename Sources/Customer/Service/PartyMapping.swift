import API
import Core
import CustomerDomain
import UseCases

// Parties between the wire (API) and the rules (CustomerDomain).

extension PartyFacts {
  /// The facts of a party as it came, ids and times left out; notes what has no place in the domain, such as an impossible
  /// day. `source` counts over the message's own.
  init(_ party: Party, source: String? = nil, faults: inout ViolationList) {
    let update = PartyUpdate(party, faults: &faults)
    if update.subject == nil { faults.add("person", "is required, unless company is given") }
    self.init(
      reference: SourceReference(source: source ?? party.source, key: party.sourceKey),
      subject: update.subject ?? .person(CustomerDomain.Person()), identifiers: update.identifiers,
      phones: update.phones, emails: update.emails, addresses: update.addresses, attributes: update.attributes)
  }
}

extension PartyUpdate {
  /// What a party message holds that an update may change.
  init(_ party: Party, faults: inout ViolationList) {
    let subject = party.kind.map { Subject($0, faults: &faults) }
    var identifiers: [PartyIdentifier] = []
    for (index, identifier) in party.identifiers.enumerated() {
      guard let kind = PartyIdentifier.Kind(rawValue: Int(identifier.type.rawValue)) else {
        faults.add("identifiers[\(index)].type", identifier.type == .unspecified ? "is required" : "is not known")
        continue
      }
      identifiers.append(PartyIdentifier(kind: kind, issuer: identifier.issuer, value: identifier.value))
    }
    self.init(
      subject: subject, identifiers: identifiers, phones: party.phones, emails: party.emails,
      addresses: party.addresses.map { PostalAddress($0) },
      attributes: party.sourceAttributes.map { Core.SourceAttribute($0) })
  }
}

extension Subject {
  /// Who a party is; notes what has no place in the domain.
  init(_ kind: Party.Kind, faults: inout ViolationList) {
    switch kind {
    case .person(let person): self = .person(CustomerDomain.Person(person, faults: &faults))
    case .company(let company):
      self = .company(CustomerDomain.Company(name: company.name, shortName: company.shortName))
    }
  }
}

extension CustomerDomain.Person {
  fileprivate init(_ person: API.Person, faults: inout ViolationList) {
    let sex = CustomerDomain.Sex(rawValue: Int(person.sex.rawValue))
    if sex == nil, person.sex != .unspecified { faults.add("person.sex", "is not known") }
    self.init(
      familyName: person.familyName, givenName: person.givenName, fullName: person.fullName,
      birthDate: CivilDate.read(person.birthDate, "person.birth_date", faults: &faults), sex: sex)
  }
}

extension PostalAddress {
  fileprivate init(_ address: Address) {
    self.init(
      lines: address.lines, district: address.district, city: address.city, province: address.province,
      postalCode: address.postalCode, countryCode: address.countryCode)
  }
}

extension Core.SourceAttribute {
  init(_ attribute: API.SourceAttribute) { self.init(name: attribute.name, value: attribute.value) }
}

extension Party {
  /// The facts as a message without ids, etag and times: what is stored, and what two records are compared by.
  init(_ facts: PartyFacts) {
    self.init(
      source: facts.reference.source, sourceKey: facts.reference.key, kind: Kind(facts.subject),
      identifiers: facts.identifiers.map {
        API.Identifier(type: IdentifierType(rawValue: Int32($0.kind.rawValue)), issuer: $0.issuer, value: $0.value)
      },
      phones: facts.phones, emails: facts.emails, addresses: facts.addresses.map { Address($0) },
      sourceAttributes: facts.attributes.map { API.SourceAttribute($0) })
  }
}

extension Party.Kind {
  fileprivate init(_ subject: Subject) {
    switch subject {
    case .person(let person):
      self = .person(
        API.Person(
          familyName: person.familyName, givenName: person.givenName, fullName: person.fullName,
          birthDate: person.birthDate.map { CalendarDate($0) },
          sex: API.Sex(rawValue: Int32(person.sex?.rawValue ?? 0))))
    case .company(let company):
      self = .company(API.Company(name: company.name, shortName: company.shortName))
    }
  }
}

extension Address {
  fileprivate init(_ address: PostalAddress) {
    self.init(
      lines: address.lines, district: address.district, city: address.city, province: address.province,
      postalCode: address.postalCode, countryCode: address.countryCode)
  }
}

extension API.SourceAttribute {
  init(_ attribute: Core.SourceAttribute) { self.init(name: attribute.name, value: attribute.value) }
}
