import Core

extension PartyFacts {
  /// Most identifiers, phones, e-mail addresses and postal addresses of one party, each.
  public static let maximumEntries = 16

  /// Notes every limit of proto/mainstay/customer/v1/party.proto that the facts break. A name is not asked for: a record
  /// without one is a matter of data quality (C18) and no reason to lose it.
  public func validate(into faults: inout ViolationList) {
    reference.check(into: &faults)
    switch subject {
    case .person(let person): person.validate(into: &faults)
    case .company(let company):
      faults.check(company.name, length: 0...256, "company.name")
      faults.check(company.shortName, length: 0...256, "company.short_name")
    }
    faults.check(count: identifiers.count, atMost: PartyFacts.maximumEntries, "identifiers")
    for (index, identifier) in identifiers.enumerated() { identifier.validate("identifiers[\(index)]", into: &faults) }
    check(phones, length: 1...64, "phones", into: &faults)
    check(emails, length: 1...254, "emails", into: &faults)
    faults.check(count: addresses.count, atMost: PartyFacts.maximumEntries, "addresses")
    for (index, address) in addresses.enumerated() { address.validate("addresses[\(index)]", into: &faults) }
    SourceAttribute.check(attributes, "source_attributes", into: &faults)
  }

  private func check(_ texts: [String], length: ClosedRange<Int>, _ path: String, into faults: inout ViolationList) {
    faults.check(count: texts.count, atMost: PartyFacts.maximumEntries, path)
    for (index, text) in texts.enumerated() { faults.check(text, length: length, "\(path)[\(index)]") }
  }
}

extension Person {
  fileprivate func validate(into faults: inout ViolationList) {
    faults.check(familyName, length: 0...128, "person.family_name")
    faults.check(givenName, length: 0...128, "person.given_name")
    faults.check(fullName, length: 0...256, "person.full_name")
  }
}

extension PartyIdentifier {
  fileprivate func validate(_ path: String, into faults: inout ViolationList) {
    faults.check(issuer, length: 0...64, path + ".issuer")
    faults.check(value, length: 1...128, path + ".value")
    let ends = [value.unicodeScalars.first, value.unicodeScalars.last]
    if ends.contains(where: { $0?.properties.isWhitespace == true }) {
      faults.add(path + ".value", "has blanks around it; send it without them")
    }
  }
}

extension PostalAddress {
  fileprivate func validate(_ path: String, into faults: inout ViolationList) {
    faults.check(count: lines.count, atMost: 8, path + ".lines")
    for (index, line) in lines.enumerated() { faults.check(line, length: 0...256, "\(path).lines[\(index)]") }
    faults.check(district, length: 0...128, path + ".district")
    faults.check(city, length: 0...128, path + ".city")
    faults.check(province, length: 0...128, path + ".province")
    faults.check(postalCode, length: 0...32, path + ".postal_code")
    if !countryCode.isEmpty, countryCode.utf8.count != 2 || !countryCode.utf8.allSatisfy({ (65...90).contains($0) }) {
      faults.add(path + ".country_code", "must be two capital letters of ISO 3166-1, for example \"CN\"")
    }
  }
}
