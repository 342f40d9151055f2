/// What a mapping file describes the rows of.
enum RecordKind: String, CaseIterable, Sendable {
  case person, company, policy, premium
}

/// Where a value goes: a field of the record, named as in the proto.
enum ImportField: Hashable, Sendable {
  case familyName, givenName, fullName, birthDate, sex
  case companyName, companyShortName
  case identifier, phone, email
  case address(Int, AddressPart)
  case attribute(String)
  case policyholderKey, productCode, channel, state, premiumFrequency
  case annualPremium, sumAssured
  case issueDate, endDate, observedUntilDate, observedDuration
  case dueDate, due, receivedDate, received, paymentMethod
  case agentID, partnerID, branchID, endCause

  /// A part of a postal address.
  enum AddressPart: Hashable, Sendable {
    case line(Int), district, city, province, postalCode, countryCode
  }

  /// Most addresses of a party, and lines of an address (party.proto).
  static let maximumAddresses = 16
  static let maximumLines = 8

  /// The field at a path, for example "person.given_name", "addresses[0].lines[1]" or "source_attributes.colour"; nil if a
  /// record of this kind has none there.
  init?(_ path: String, of kind: RecordKind) {
    if let field = ImportField.plain(of: kind)[path] {
      self = field
      return
    }
    if kind == .premium { return nil }
    let attributes = kind == .policy ? "attributes." : "source_attributes."
    if path.hasPrefix(attributes), (1...64).contains(path.count - attributes.count) {
      self = .attribute(String(path.dropFirst(attributes.count)))
      return
    }
    guard kind != .policy, let address = ImportField.address(path) else { return nil }
    self = address
  }

  /// All paths without an index or a name in them, and examples of the others: for messages.
  static func names(of kind: RecordKind) -> [String] {
    let others: [String] =
      switch kind {
      case .person, .company: ["addresses[0].lines[0]", "source_attributes.NAME"]
      case .policy: ["attributes.NAME"]
      case .premium: []
      }
    return plain(of: kind).keys.sorted() + others
  }

  /// Whether it holds a day.
  var isDate: Bool {
    switch self {
    case .birthDate, .issueDate, .endDate, .observedUntilDate, .dueDate, .receivedDate: true
    default: false
    }
  }

  /// Whether it holds an amount of money.
  var isMoney: Bool { self == .annualPremium || self == .sumAssured || self == .due || self == .received }

  /// Whether columns that lead here are joined by a blank; other fields take one column, lists one more value per column.
  var joins: Bool {
    switch self {
    case .familyName, .givenName, .fullName, .companyName, .companyShortName, .address(_, .line): true
    default: false
    }
  }

  /// Whether each column adds a value.
  var isList: Bool { self == .identifier || self == .phone || self == .email }

  private static func plain(of kind: RecordKind) -> [String: ImportField] {
    let shared: [String: ImportField] = ["identifiers": .identifier, "phones": .phone, "emails": .email]
    switch kind {
    case .person:
      return shared.merging(
        [
          "person.family_name": .familyName, "person.given_name": .givenName, "person.full_name": .fullName,
          "person.birth_date": .birthDate, "person.sex": .sex,
        ], uniquingKeysWith: { $1 })
    case .company:
      return shared.merging(
        ["company.name": .companyName, "company.short_name": .companyShortName], uniquingKeysWith: { $1 })
    case .premium:
      return [
        "due_date": .dueDate, "due": .due, "received_date": .receivedDate, "received": .received,
        "method": .paymentMethod,
      ]
    case .policy:
      return [
        "policyholder_source_key": .policyholderKey, "product_code": .productCode, "channel": .channel, "state": .state,
        "premium_frequency": .premiumFrequency, "annual_premium": .annualPremium, "sum_assured": .sumAssured,
        "issue_date": .issueDate, "end_date": .endDate, "observed_until_date": .observedUntilDate,
        "observed_duration": .observedDuration, "agent_id": .agentID, "partner_id": .partnerID, "branch_id": .branchID,
        "end_cause": .endCause,
      ]
    }
  }

  private static func address(_ path: String) -> ImportField? {
    guard let match = path.wholeMatch(of: /addresses\[(\d{1,2})\]\.([a-z_]+)(?:\[(\d)\])?/),
      let index = Int(match.1), index < maximumAddresses
    else { return nil }
    switch (match.2, match.3.flatMap { Int($0) }) {
    case ("lines", let line?) where line < maximumLines: return .address(index, .line(line))
    case ("district", nil): return .address(index, .district)
    case ("city", nil): return .address(index, .city)
    case ("province", nil): return .address(index, .province)
    case ("postal_code", nil): return .address(index, .postalCode)
    case ("country_code", nil): return .address(index, .countryCode)
    default: return nil
    }
  }
}
