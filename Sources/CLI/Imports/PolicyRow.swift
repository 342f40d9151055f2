import API
import Core

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
      case .observedDuration: policy.observedDurationMicromonths = value.micromonths ?? 0
      default: setText(value.field, value.text, in: &policy)
      }
    }
    policy.attributes += row.keptAttributes
    derive(row.derived, in: &policy)
    return policy
  }

  /// Fills in the days that follow from the others.
  private static func derive(_ fields: Set<ImportField>, in policy: inout Policy) {
    guard policy.observedDurationMicromonths > 0, let issued = policy.issueDate,
      let start = CivilDate(year: Int(issued.year), month: Int(issued.month), day: Int(issued.day))
    else { return }
    let day = CalendarDate(DurationUnit.day(policy.observedDurationMicromonths, after: start))
    if [.surrendered, .matured, .expired, .terminated, .cancelled].contains(policy.state) {
      if fields.contains(.endDate), policy.endDate == nil { policy.endDate = day }
    } else if fields.contains(.observedUntilDate), policy.observedUntilDate == nil {
      policy.observedUntilDate = day
    }
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
    case .agentID: policy.agentID = text
    case .partnerID: policy.partnerID = text
    case .branchID: policy.branchID = text
    case .endCause: policy.endCause = EnumNames.endCause(text) ?? .unspecified
    case .attribute(let name): policy.attributes.append(API.SourceAttribute(name: name, value: text))
    default: break
    }
  }
}
