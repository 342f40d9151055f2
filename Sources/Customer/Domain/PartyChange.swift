import Core

/// A field of a party that an update may name, by its proto path.
public enum PartyField: String, CaseIterable, Sendable {
  /// All of a person.
  case person
  /// 姓 or surname.
  case familyName = "person.family_name"
  /// 名 or given names.
  case givenName = "person.given_name"
  /// Name as written.
  case fullName = "person.full_name"
  /// Birth date.
  case birthDate = "person.birth_date"
  /// Sex.
  case sex = "person.sex"
  /// All of a company.
  case company
  /// Registered name.
  case companyName = "company.name"
  /// Name used in daily life.
  case companyShortName = "company.short_name"
  /// Numbers and keys, replaced as a whole list.
  case identifiers
  /// Phones, replaced as a whole list.
  case phones
  /// E-mail addresses, replaced as a whole list.
  case emails
  /// Postal addresses, replaced as a whole list.
  case addresses
  /// Source attributes, replaced as a whole list.
  case sourceAttributes = "source_attributes"
}

/// Which fields an update replaces.
public struct PartyUpdateMask: Sendable, Equatable {
  /// The fields, without repetition.
  public let fields: Set<PartyField>
  /// Whether the mask is "*": the party's own kind and all its other fields.
  public let replacesAll: Bool

  /// Reads proto paths: those of `PartyField`, "person.*" and "company.*" for all of the kind, "*" for everything. Fails with
  /// each path that names no field, or if there is none.
  public init(paths: [String]) throws(InvalidRecord) {
    var fields: Set<PartyField> = []
    var faults = ViolationList()
    if paths.isEmpty { faults.add("update_mask", "is required; \"*\" replaces every field") }
    for path in paths where path != "*" {
      let name = path == "person.*" ? "person" : path == "company.*" ? "company" : path
      if let field = PartyField(rawValue: name) {
        fields.insert(field)
      } else {
        faults.add("update_mask", "\"\(path.prefix(64))\" is no field that an update may change")
      }
    }
    try faults.throwIfAny()
    self.fields = fields
    replacesAll = paths.contains("*")
  }
}

extension PartyFacts {
  /// The facts with the fields of the mask taken from new values, nil in which stands for a kind that the update does not
  /// name. Fails if the mask would change the kind or names fields of the other one.
  public func updated(with values: PartyUpdate, mask: PartyUpdateMask) throws(InvalidRecord) -> PartyFacts {
    var faults = ViolationList()
    var result = self
    func replaces(_ field: PartyField) -> Bool { mask.replacesAll || mask.fields.contains(field) }
    result.subject = subject.updated(with: values.subject, mask: mask, faults: &faults)
    if replaces(.identifiers) { result.identifiers = values.identifiers }
    if replaces(.phones) { result.phones = values.phones }
    if replaces(.emails) { result.emails = values.emails }
    if replaces(.addresses) { result.addresses = values.addresses }
    if replaces(.sourceAttributes) { result.attributes = values.attributes }
    if faults.violations.isEmpty { result.validate(into: &faults) }
    try faults.throwIfAny()
    return result
  }

  /// Proto names of the fields of Party in which the other facts differ, in order of the proto.
  public func changedFields(to other: PartyFacts) -> [String] {
    var names: [String] = []
    if subject != other.subject { names.append(other.subject.isCompany ? "company" : "person") }
    if identifiers != other.identifiers { names.append("identifiers") }
    if phones != other.phones { names.append("phones") }
    if emails != other.emails { names.append("emails") }
    if addresses != other.addresses { names.append("addresses") }
    if attributes != other.attributes { names.append("source_attributes") }
    return names
  }
}

/// New values of an update; only those that the mask names count.
public struct PartyUpdate: Sendable, Equatable {
  /// Nil if the update names neither a person nor a company.
  public var subject: Subject?
  /// New identifiers.
  public var identifiers: [PartyIdentifier]
  /// New phones.
  public var phones: [String]
  /// New e-mail addresses.
  public var emails: [String]
  /// New postal addresses.
  public var addresses: [PostalAddress]
  /// New source attributes.
  public var attributes: [SourceAttribute]

  /// New values.
  public init(
    subject: Subject? = nil, identifiers: [PartyIdentifier] = [], phones: [String] = [], emails: [String] = [],
    addresses: [PostalAddress] = [], attributes: [SourceAttribute] = []
  ) {
    self.subject = subject
    self.identifiers = identifiers
    self.phones = phones
    self.emails = emails
    self.addresses = addresses
    self.attributes = attributes
  }
}

extension Subject {
  fileprivate func updated(
    with other: Subject?, mask: PartyUpdateMask, faults: inout ViolationList
  ) -> Subject {
    let kind = isCompany ? "company" : "person"
    let strange = isCompany ? "person" : "company"
    if mask.fields.contains(where: { $0.rawValue.hasPrefix(strange) }) {
      faults.add("update_mask", "names \(strange), and the party is a \(kind); the kind never changes")
    }
    let touched = mask.replacesAll || mask.fields.contains { $0.rawValue.hasPrefix(kind) }
    if let other, other.isCompany != isCompany, touched {
      faults.add(strange, "the party is a \(kind); the kind never changes")
    }
    let replacesWhole = mask.replacesAll || mask.fields.contains(isCompany ? .company : .person)
    if replacesWhole, other == nil { faults.add(kind, "is required, since the update replaces it") }
    guard faults.violations.isEmpty else { return self }
    switch (self, other) {
    case (.person(let old), .person(let given)): return .person(old.updated(with: given, mask: mask))
    case (.person(let old), _): return .person(old.updated(with: Person(), mask: mask))
    case (.company(let old), .company(let given)): return .company(old.updated(with: given, mask: mask))
    case (.company(let old), _): return .company(old.updated(with: Company(), mask: mask))
    }
  }
}

extension Person {
  fileprivate func updated(with given: Person, mask: PartyUpdateMask) -> Person {
    if mask.replacesAll || mask.fields.contains(.person) { return given }
    var result = self
    if mask.fields.contains(.familyName) { result.familyName = given.familyName }
    if mask.fields.contains(.givenName) { result.givenName = given.givenName }
    if mask.fields.contains(.fullName) { result.fullName = given.fullName }
    if mask.fields.contains(.birthDate) { result.birthDate = given.birthDate }
    if mask.fields.contains(.sex) { result.sex = given.sex }
    return result
  }
}

extension Company {
  fileprivate func updated(with given: Company, mask: PartyUpdateMask) -> Company {
    if mask.replacesAll || mask.fields.contains(.company) { return given }
    var result = self
    if mask.fields.contains(.companyName) { result.name = given.name }
    if mask.fields.contains(.companyShortName) { result.shortName = given.shortName }
    return result
  }
}

/// Rule: a person stays a person and a company a company. Only a party of which nothing but the key is known, as a policy import
/// creates it, may turn out to be either.
public enum KindNeverChanges {
  /// Fails if the new facts are of another kind.
  public static func check(_ old: PartyFacts, _ new: PartyFacts) throws(InvalidRecord) {
    guard old.subject.isCompany != new.subject.isCompany, old != .unnamed(old.reference) else { return }
    let (was, given) = old.subject.isCompany ? ("company", "person") : ("person", "company")
    throw InvalidRecord([Violation(given, "the party is a \(was); the kind never changes")])
  }
}
