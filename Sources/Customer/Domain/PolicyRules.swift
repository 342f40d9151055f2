import Core

extension PolicyFacts {
  /// Notes every limit of proto/mainstay/customer/v1/policy_service.proto that the facts break.
  public func validate(into faults: inout ViolationList) {
    reference.check(into: &faults)
    faults.check(policyholderKey, length: 0...SourceReference.maximumKeyLength, "policyholder_source_key")
    faults.check(productCode, length: 1...64, "product_code")
    NoNegativeAmount.check(annualPremium, "annual_premium", into: &faults)
    NoNegativeAmount.check(sumAssured, "sum_assured", into: &faults)
    EndDateOnlyWhenEnded.check(self, into: &faults)
    NothingBeforeIssue.check(endDate, "end_date", issueDate: issueDate, into: &faults)
    NothingBeforeIssue.check(observedUntil, "observed_until_date", issueDate: issueDate, into: &faults)
    SourceAttribute.check(attributes, "attributes", into: &faults)
    faults.check(agentID, length: 0...64, "agent_id")
    faults.check(partnerID, length: 0...64, "partner_id")
    faults.check(branchID, length: 0...64, "branch_id")
    if endCause != nil, !state.isFinal {
      faults.add("end_cause", "is given, and the state \(state.name) does not end the contract")
    }
    if !(0...PolicyFacts.maximumObservedMicromonths).contains(observedMicromonths) {
      faults.add("observed_duration_micromonths", "must be 0 to \(PolicyFacts.maximumObservedMicromonths)")
    }
  }

  /// The facts after a change of state by hand. A state that ends the contract ends it on the effective date.
  public func moved(to state: PolicyState, effective: CivilDate) throws -> PolicyFacts {
    guard self.state.canMove(to: state) else { throw IllegalTransition(from: self.state, to: state) }
    var faults = ViolationList()
    NothingBeforeIssue.check(effective, "effective_date", issueDate: issueDate, into: &faults)
    try faults.throwIfAny()
    var result = self
    result.state = state
    result.endDate = state.isFinal ? effective : nil
    result.endCause = state.endCause
    // What the source knew of the duration was from before.
    result.observedMicromonths = 0
    return result
  }

  /// Fails unless a source that had the old facts may now have these: it may correct any field, and the state must be one that
  /// legal transitions lead to.
  public func checkMirrors(_ old: PolicyFacts) throws(IllegalTransition) {
    guard old.state.canReach(state) else { throw IllegalTransition(from: old.state, to: state) }
  }
}

/// Rule: a policy recorded by hand begins where contracts begin; only an import may start anywhere.
public enum InitialStateAtCreation {
  /// Notes a fault if the state is another one.
  public static func check(_ state: PolicyState, into faults: inout ViolationList) {
    if !state.isInitial {
      faults.add("state", "must be PROPOSED, IN_HESITATION or IN_FORCE at creation, and is \(state.name)")
    }
  }
}

/// Rule: a contract that stands has no end date.
enum EndDateOnlyWhenEnded {
  static func check(_ policy: PolicyFacts, into faults: inout ViolationList) {
    if policy.endDate != nil, !policy.state.isFinal {
      faults.add("end_date", "is given, and the state \(policy.state.name) does not end the contract")
    }
  }
}

/// Rule: nothing happens to a contract before it is issued.
enum NothingBeforeIssue {
  static func check(_ date: CivilDate?, _ path: String, issueDate: CivilDate, into faults: inout ViolationList) {
    if let date, date < issueDate { faults.add(path, "lies before issue_date") }
  }
}

/// Rule: premiums and sums assured are not negative.
enum NoNegativeAmount {
  static func check(_ amount: Money?, _ path: String, into faults: inout ViolationList) {
    if let amount, amount.minorUnits < 0 { faults.add("\(path).minor_units", "must not be negative") }
  }
}
