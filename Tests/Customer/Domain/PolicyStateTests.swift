import Core
import CustomerDomain
import Testing

@Suite struct PolicyStateTests {
  /// Every edge that C8 allows, written once more by hand, so that a slip in the table shows.
  static let legal: [PolicyState: Set<PolicyState>] = [
    .proposed: [.inHesitation, .inForce, .cancelled],
    .inHesitation: [.inForce, .cancelled, .terminated],
    .inForce: [.grace, .paidUp, .premiumWaived, .surrendered, .matured, .expired, .terminated],
    .grace: [.inForce, .suspended, .paidUp, .premiumWaived, .surrendered, .matured, .expired, .terminated],
    .suspended: [.inForce, .surrendered, .expired, .terminated],
    .paidUp: [.surrendered, .matured, .expired, .terminated],
    .premiumWaived: [.inForce, .paidUp, .surrendered, .matured, .expired, .terminated],
  ]
  static let pairs = PolicyState.allCases.flatMap { from in PolicyState.allCases.map { (from, $0) } }

  @Test("each of the 144 pairs of states is legal or not as the table says", arguments: pairs)
  func transition(from: PolicyState, to: PolicyState) throws {
    let isLegal = Self.legal[from]?.contains(to) ?? false
    #expect(from.canMove(to: to) == isLegal)
    let policy = try makePolicy(state: from)
    let day = try #require(CivilDate("2026-03-01"))
    if isLegal {
      let moved = try policy.moved(to: to, effective: day)
      #expect(moved.state == to)
      #expect(moved.endDate == (to.isFinal ? day : nil))
    } else {
      #expect(throws: IllegalTransition(from: from, to: to)) { try policy.moved(to: to, effective: day) }
    }
  }

  @Test func endsAreFinal() {
    let ends = PolicyState.allCases.filter(\.isFinal)
    #expect(ends == [.surrendered, .matured, .expired, .terminated, .cancelled])
    for end in ends {
      for other in PolicyState.allCases where other != end { #expect(!end.canReach(other)) }
    }
  }

  @Test func aContractGivenBackInTheHesitationPeriodIsNotASurrender() {
    #expect(!PolicyState.inHesitation.canMove(to: .surrendered))
    #expect(PolicyState.inHesitation.canMove(to: .cancelled))
  }

  @Test func anImportMayFindAPolicySeveralLegalTransitionsFurther() throws {
    let old = try makePolicy(state: .inForce)
    try makePolicy(state: .suspended).checkMirrors(old)
    try makePolicy(state: .inForce).checkMirrors(old)
    #expect(throws: IllegalTransition(from: .inForce, to: .proposed)) {
      try makePolicy(state: .proposed).checkMirrors(old)
    }
    #expect(throws: IllegalTransition(from: .surrendered, to: .inForce)) {
      try old.checkMirrors(try makePolicy(state: .surrendered))
    }
  }

  @Test func everyStateCanBeReachedFromAProposal() {
    for state in PolicyState.allCases { #expect(PolicyState.proposed.canReach(state)) }
  }

  @Test func atCreationOnlyAStateInWhichContractsBegin() {
    for state in PolicyState.allCases {
      var faults = ViolationList()
      InitialStateAtCreation.check(state, into: &faults)
      #expect(faults.violations.isEmpty == [.proposed, .inHesitation, .inForce].contains(state))
    }
  }

  @Test func aRefusalSaysWhatWouldBeLegal() {
    #expect(
      IllegalTransition(from: .suspended, to: .matured).description
        == "no transition from SUSPENDED to MATURED; from here only to IN_FORCE, SURRENDERED, EXPIRED, TERMINATED")
    #expect(IllegalTransition(from: .matured, to: .inForce).description.hasSuffix("MATURED ends the contract"))
    #expect(IllegalTransition(from: .grace, to: .grace).description == "the policy is GRACE already")
  }
}

func makePolicy(state: PolicyState) throws -> PolicyFacts {
  PolicyFacts(
    reference: SourceReference(source: "core", key: "P1"), productCode: "WL", state: state,
    issueDate: try #require(CivilDate("2026-01-31")))
}
