import API

/// Makes policies from the rows of a file.
enum PolicyRow {
  /// The policy of a row; throws what is wrong with it.
  static func make(_ row: MappedRow) throws(RowFault) -> Policy {
    var policy = Policy()
    policy.sourceKey = row.key
    for (field, text) in row.constants { setText(field, text, in: &policy) }
    for value in row.values {
      switch value.field {
      case .issueDate: policy.issueDate = value.date.map(CalendarDate.init(_:))
      case .endDate: policy.endDate = value.date.map(CalendarDate.init(_:))
      case .observedUntilDate: policy.observedUntilDate = value.date.map(CalendarDate.init(_:))
      case .annualPremium: policy.annualPremium = value.money
      case .sumAssured: policy.sumAssured = value.money
      default: setText(value.field, value.text, in: &policy)
      }
    }
    policy.attributes += row.keptAttributes
    return policy
  }

  private static func setText(_ field: ImportField, _ text: String, in policy: inout Policy) {
    switch field {
    case .policyholderKey: policy.policyholderSourceKey = text
    case .productCode: policy.productCode = text
    case .channel: policy.channel = EnumNames.channel(text) ?? .unspecified
    case .state: policy.state = EnumNames.state(text) ?? .unspecified
    case .premiumFrequency: policy.premiumFrequency = EnumNames.premiumFrequency(text) ?? .unspecified
    case .issueDate: policy.issueDate = DateFormat.iso.day(text).map(CalendarDate.init(_:))
    case .endDate: policy.endDate = DateFormat.iso.day(text).map(CalendarDate.init(_:))
    case .observedUntilDate: policy.observedUntilDate = DateFormat.iso.day(text).map(CalendarDate.init(_:))
    case .attribute(let name): policy.attributes.append(SourceAttribute(name: name, value: text))
    default: break
    }
  }
}
