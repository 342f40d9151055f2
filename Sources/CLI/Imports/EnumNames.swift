import API

/// Names of enum values as a mapping or a file writes them: in full, or without the prefix, in any case.
enum EnumNames {
  static func sex(_ text: String) -> Sex? { Sex(name: full(text, "SEX_")) }
  static func identifierType(_ text: String) -> IdentifierType? {
    IdentifierType(name: full(text, "IDENTIFIER_TYPE_")).flatMap { $0 == .unspecified ? nil : $0 }
  }
  static func channel(_ text: String) -> API.Channel? { API.Channel(name: full(text, "CHANNEL_")) }
  static func state(_ text: String) -> PolicyState? { PolicyState(name: full(text, "POLICY_STATE_")) }
  static func premiumFrequency(_ text: String) -> PremiumFrequency? {
    PremiumFrequency(name: full(text, "PREMIUM_FREQUENCY_"))
  }

  static func paymentMethod(_ text: String) -> PaymentMethod? { PaymentMethod(name: full(text, "PAYMENT_METHOD_")) }
  static func endCause(_ text: String) -> EndCause? { EndCause(name: full(text, "END_CAUSE_")) }

  static func agentType(_ text: String) -> AgentType? {
    AgentType(name: full(text, "AGENT_TYPE_")).flatMap { $0 == .unspecified ? nil : $0 }
  }

  static func partnerKind(_ text: String) -> PartnerKind? {
    PartnerKind(name: full(text, "PARTNER_KIND_")).flatMap { $0 == .unspecified ? nil : $0 }
  }

  static func productLine(_ text: String) -> ProductLine? {
    ProductLine(name: full(text, "PRODUCT_LINE_")).flatMap { $0 == .unspecified ? nil : $0 }
  }

  static func saleChannel(_ text: String) -> API.SaleChannel? {
    API.SaleChannel(name: full(text, "SALE_CHANNEL_")).flatMap { $0 == .unspecified ? nil : $0 }
  }

  /// The types of identifiers, for messages.
  static var identifierTypes: String {
    IdentifierType.all.dropFirst().map { String($0.name.dropFirst("IDENTIFIER_TYPE_".count)) }.joined(separator: ", ")
  }

  private static func full(_ text: String, _ prefix: String) -> String {
    let upper = text.uppercased().map { $0 == " " || $0 == "-" ? "_" : String($0) }.joined()
    return upper.hasPrefix(prefix) ? upper : prefix + upper
  }
}
