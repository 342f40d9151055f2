import Core

/// A contract as its core system tells of it, without what the service adds (ids, version, times).
public struct PolicyFacts: Hashable, Sendable {
  /// Where it comes from.
  public let reference: SourceReference
  /// The policyholder's key in the same source; empty stands for the policy's own.
  public var policyholderKey: String
  /// 1 to 64 characters.
  public var productCode: String
  /// Nil if not known.
  public var channel: SaleChannel?
  /// Where it stands.
  public var state: PolicyState
  /// One year's premium, or the whole if single; nil if not known.
  public var annualPremium: Money?
  /// Nil if not known.
  public var premiumFrequency: PremiumFrequency?
  /// Nil if not known.
  public var sumAssured: Money?
  /// When it was issued.
  public var issueDate: CivilDate
  /// First day on which the contract no longer stands; nil while it does.
  public var endDate: CivilDate?
  /// Last day of which the source tells; nil if it tells until now.
  public var observedUntil: CivilDate?
  /// At most 32.
  public var attributes: [SourceAttribute]
  /// Who sold it, as the source names the agent; at most 64 characters.
  public var agentID = ""
  /// Through which partner, as the source names it; at most 64 characters.
  public var partnerID = ""
  /// Branch that sold it, as the source names it; at most 64 characters.
  public var branchID = ""
  /// Why it ended; nil while it stands, or if not known.
  public var endCause: EndCause?
  /// Time from issue to the end or the end of observation in millionths of a month; 0 if only the dates tell.
  public var observedMicromonths: Int64 = 0

  /// Longest `observedMicromonths`: 2,400 months.
  public static let maximumObservedMicromonths: Int64 = 2_400_000_000
  /// Facts as they came from outside; `validate` says whether they may be kept.
  public init(
    reference: SourceReference, policyholderKey: String = "", productCode: String, channel: SaleChannel? = nil,
    state: PolicyState, annualPremium: Money? = nil, premiumFrequency: PremiumFrequency? = nil,
    sumAssured: Money? = nil, issueDate: CivilDate, endDate: CivilDate? = nil, observedUntil: CivilDate? = nil,
    attributes: [SourceAttribute] = []
  ) {
    self.reference = reference
    self.policyholderKey = policyholderKey
    self.productCode = productCode
    self.channel = channel
    self.state = state
    self.annualPremium = annualPremium
    self.premiumFrequency = premiumFrequency
    self.sumAssured = sumAssured
    self.issueDate = issueDate
    self.endDate = endDate
    self.observedUntil = observedUntil
    self.attributes = attributes
  }

  /// Which party of the source holds the policy.
  public var policyholder: SourceReference {
    SourceReference(source: reference.source, key: policyholderKey.isEmpty ? reference.key : policyholderKey)
  }
}
