import API
import Core
import CustomerDomain
import UseCases

// Policies between the wire (API) and the rules (CustomerDomain).

extension PolicyFacts {
  /// The facts of a policy as it came, ids and times left out; notes what has no place in the domain. `source` counts over the
  /// message's own.
  init(_ policy: Policy, source: String? = nil, faults: inout ViolationList) {
    let state = CustomerDomain.PolicyState(policy.state, "state", faults: &faults)
    let issueDate = CivilDate.read(policy.issueDate, "issue_date", faults: &faults)
    if policy.issueDate == nil { faults.add("issue_date", "is required") }
    let channel = Core.SaleChannel(rawValue: Int(policy.channel.rawValue))
    if channel == nil, policy.channel != .unspecified { faults.add("channel", "is not known") }
    let frequency = Core.PremiumFrequency(rawValue: Int(policy.premiumFrequency.rawValue))
    if frequency == nil, policy.premiumFrequency != .unspecified { faults.add("premium_frequency", "is not known") }
    self.init(
      reference: SourceReference(source: source ?? policy.source, key: policy.sourceKey),
      policyholderKey: policy.policyholderSourceKey, productCode: policy.productCode, channel: channel,
      // What stands in for a missing state or day is never kept: the fault is noted.
      state: state ?? .terminated,
      annualPremium: Core.Money.read(policy.annualPremium, "annual_premium", faults: &faults),
      premiumFrequency: frequency,
      sumAssured: Core.Money.read(policy.sumAssured, "sum_assured", faults: &faults),
      issueDate: issueDate ?? CivilDate(daysSinceEpoch: -.max / 2),
      endDate: CivilDate.read(policy.endDate, "end_date", faults: &faults),
      observedUntil: CivilDate.read(policy.observedUntilDate, "observed_until_date", faults: &faults),
      attributes: policy.attributes.map { Core.SourceAttribute($0) })
    (agentID, partnerID, branchID) = (policy.agentID, policy.partnerID, policy.branchID)
    endCause = Core.EndCause(rawValue: Int(policy.endCause.rawValue))
    if endCause == nil, policy.endCause != .unspecified { faults.add("end_cause", "is not known") }
    observedMicromonths = policy.observedDurationMicromonths
  }
}

extension CustomerDomain.PolicyState {
  /// The state that a message names; notes one that is missing or not known.
  init?(_ state: API.PolicyState, _ path: String, faults: inout ViolationList) {
    if let known = CustomerDomain.PolicyState(rawValue: Int(state.rawValue)) {
      self = known
    } else {
      faults.add(path, state == .unspecified ? "is required" : "is not known")
      return nil
    }
  }
}

extension API.PolicyState {
  /// A state on the wire.
  init(_ state: CustomerDomain.PolicyState) { self.init(rawValue: Int32(state.rawValue)) }
}

extension Policy {
  /// The facts as a message without ids, etag and times: what is stored, and what two records are compared by.
  init(_ facts: PolicyFacts) {
    self.init(
      source: facts.reference.source, sourceKey: facts.reference.key, policyholderSourceKey: facts.policyholderKey,
      productCode: facts.productCode, channel: API.Channel(rawValue: Int32(facts.channel?.rawValue ?? 0)),
      state: API.PolicyState(facts.state), annualPremium: facts.annualPremium.map { API.Money($0) },
      premiumFrequency: API.PremiumFrequency(rawValue: Int32(facts.premiumFrequency?.rawValue ?? 0)),
      sumAssured: facts.sumAssured.map { API.Money($0) }, issueDate: CalendarDate(facts.issueDate),
      endDate: facts.endDate.map { CalendarDate($0) },
      observedUntilDate: facts.observedUntil.map { CalendarDate($0) },
      attributes: facts.attributes.map { API.SourceAttribute($0) }, agentID: facts.agentID, partnerID: facts.partnerID,
      branchID: facts.branchID, endCause: API.EndCause(rawValue: Int32(facts.endCause?.rawValue ?? 0)),
      observedDurationMicromonths: facts.observedMicromonths)
  }
}
