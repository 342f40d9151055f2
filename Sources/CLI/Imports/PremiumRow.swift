import API

/// Makes instalments of premiums from the rows of a file; the row's key is the policy's number.
enum PremiumRow {
  /// The instalment of a row; throws what is wrong with it.
  static func make(_ row: MappedRow) throws(RowFault) -> ImportPremiumRow {
    var premium = PremiumInstalment()
    for (field, text) in row.constants where field == .paymentMethod {
      premium.method = EnumNames.paymentMethod(text) ?? .unspecified
    }
    for value in row.values {
      switch value.field {
      case .dueDate: premium.dueDate = value.date.map(CalendarDate.init(_:))
      case .due: premium.due = value.money
      case .receivedDate: premium.receivedDate = value.date.map(CalendarDate.init(_:))
      case .received: premium.received = value.money
      case .paymentMethod: premium.method = EnumNames.paymentMethod(value.text) ?? .unspecified
      default: break
      }
    }
    // A constant way of payment says nothing of an instalment that was not paid.
    if premium.receivedDate == nil, premium.received == nil { premium.method = .unspecified }
    return ImportPremiumRow(policySourceKey: row.key, premium: premium)
  }
}
