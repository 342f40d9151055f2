import Core

/// What the figures need to know of a policy.
public struct PolicyFact: Hashable, Sendable {
  /// Whether and how the contract has ended.
  public enum Outcome: Hashable, Sendable {
    /// It stands.
    case inForce
    /// It has ended, for this reason; nil if that is not known.
    case ended(EndCause?)
  }

  /// pol_…
  public var policyID: String
  /// cus_… of the policyholder; nil as long as it is not known.
  public var customerID: String?
  /// How it stands.
  public var outcome: Outcome
  /// Day of issue.
  public var issueDate: CivilDate
  /// First day on which it no longer stands.
  public var endDate: CivilDate?
  /// Last day of which the source tells; nil if it tells until now.
  public var observedUntil: CivilDate?
  /// Time from issue to the end or the end of observation in millionths of a month; nil if only the dates tell.
  public var exactMicromonths: Int64?
  /// One year's premium, or the whole if single.
  public var annualPremium: Money?
  /// How often a premium is due; nil if not known.
  public var frequency: PremiumFrequency?

  /// A policy's facts.
  public init(
    policyID: String, customerID: String? = nil, outcome: Outcome, issueDate: CivilDate, endDate: CivilDate? = nil,
    observedUntil: CivilDate? = nil, exactMicromonths: Int64? = nil, annualPremium: Money? = nil,
    frequency: PremiumFrequency? = nil
  ) {
    self.policyID = policyID
    self.customerID = customerID
    self.outcome = outcome
    self.issueDate = issueDate
    self.endDate = endDate
    self.observedUntil = observedUntil
    self.exactMicromonths = exactMicromonths
    self.annualPremium = annualPremium
    self.frequency = frequency
  }

  /// Whether the contract has ended.
  public var hasEnded: Bool { outcome != .inForce }

  /// The policy as it stood at the end of a day, as far as days tell: nil if it was issued later; in force if it ended later, or
  /// had not stood so long by then as is known of it. What was recorded since about the time until then counts.
  public func asOf(_ day: CivilDate) -> PolicyFact? {
    guard issueDate <= day else { return nil }
    var fact = self
    let longest = PolicyDuration(from: issueDate, to: day).micromonths
    let isLater = endDate.map { $0 > day } ?? (exactMicromonths ?? 0 > longest)
    if hasEnded, isLater {
      (fact.outcome, fact.endDate, fact.exactMicromonths) = (.inForce, nil, nil)
    } else if let exactMicromonths, exactMicromonths > longest {
      fact.exactMicromonths = longest
    }
    fact.observedUntil = min(observedUntil ?? day, day)
    return fact
  }

  /// How long it stood, or has been seen to stand; nil if it ended on a day that nobody knows, or is observed only to a day
  /// before its issue.
  public func duration(today: CivilDate) -> PolicyDuration? {
    if let exactMicromonths { return PolicyDuration(micromonths: exactMicromonths) }
    let end = hasEnded ? endDate : min(observedUntil ?? today, today)
    guard let end, end >= issueDate else { return nil }
    return PolicyDuration(from: issueDate, to: end)
  }
}

extension PremiumFrequency {
  /// Instalments of a year; 1 if not known.
  var instalmentsPerYear: Int64 {
    switch self {
    case .single, .annual, .infraAnnual, .other: 1
    case .halfYearly: 2
    case .quarterly: 4
    case .monthly: 12
    }
  }
}
