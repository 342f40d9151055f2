import Core

/// Where a policy stands (C8). The numbers are those of mainstay.customer.v1.PolicyState; docs/policy-states.md draws the graph.
public enum PolicyState: Int, CaseIterable, Sendable {
  /// Applied for, not yet issued.
  case proposed = 1
  /// 犹豫期: issued, full refund on withdrawal.
  case inHesitation = 2
  /// Cover stands and premiums are paid.
  case inForce = 3
  /// Premium unpaid, cover goes on.
  case grace = 4
  /// 中止: premium unpaid after grace, no cover; can be reinstated.
  case suspended = 5
  /// No premium is due any more, cover goes on.
  case paidUp = 6
  /// The insurer has waived the premiums, cover goes on.
  case premiumWaived = 7
  /// 退保: ended by the customer for its cash value.
  case surrendered = 8
  /// Ended on its day, with the benefit paid.
  case matured = 9
  /// Cover ended without a value.
  case expired = 10
  /// Ended by a claim, by law or by the insurer.
  case terminated = 11
  /// Withdrawn before it took force or within the hesitation period.
  case cancelled = 12

  /// The states to which one legal transition leads, in order; none from a state that ends the contract.
  public var successors: [PolicyState] {
    switch self {
    case .proposed: [.inHesitation, .inForce, .cancelled]
    case .inHesitation: [.inForce, .terminated, .cancelled]
    case .inForce: [.grace, .paidUp, .premiumWaived, .surrendered, .matured, .expired, .terminated]
    case .grace: [.inForce, .suspended, .paidUp, .premiumWaived, .surrendered, .matured, .expired, .terminated]
    case .suspended: [.inForce, .surrendered, .expired, .terminated]
    case .paidUp: [.surrendered, .matured, .expired, .terminated]
    case .premiumWaived: [.inForce, .paidUp, .surrendered, .matured, .expired, .terminated]
    case .surrendered, .matured, .expired, .terminated, .cancelled: []
    }
  }

  /// Whether the contract has ended for good.
  public var isFinal: Bool { successors.isEmpty }

  /// The cause that the state alone tells of; nil if the contract stands or may have ended for several.
  var endCause: EndCause? {
    switch self {
    case .surrendered: .surrender
    case .matured: .maturity
    case .expired: .expiry
    default: nil
    }
  }

  /// Whether a policy may be recorded in this state by hand. An import mirrors another system and may begin in any state.
  public var isInitial: Bool { self == .proposed || self == .inHesitation || self == .inForce }

  /// Whether one legal transition leads to the other state.
  public func canMove(to other: PolicyState) -> Bool { successors.contains(other) }

  /// Whether legal transitions, one after another, lead to the other state: a source that exports once a night may have gone
  /// through several in between.
  public func canReach(_ other: PolicyState) -> Bool {
    var seen: Set<PolicyState> = [self]
    var open = [self]
    while let state = open.popLast() {
      for next in state.successors where seen.insert(next).inserted { open.append(next) }
    }
    return seen.contains(other)
  }

  /// The name that the proto gives it, without its prefix: "IN_FORCE".
  public var name: String {
    switch self {
    case .proposed: "PROPOSED"
    case .inHesitation: "IN_HESITATION"
    case .inForce: "IN_FORCE"
    case .grace: "GRACE"
    case .suspended: "SUSPENDED"
    case .paidUp: "PAID_UP"
    case .premiumWaived: "PREMIUM_WAIVED"
    case .surrendered: "SURRENDERED"
    case .matured: "MATURED"
    case .expired: "EXPIRED"
    case .terminated: "TERMINATED"
    case .cancelled: "CANCELLED"
    }
  }
}

/// A change of state that the contract's course does not allow.
public struct IllegalTransition: Error, Equatable, CustomStringConvertible {
  /// Where the policy stands.
  public let from: PolicyState
  /// Where it was to go.
  public let to: PolicyState

  /// A refused change.
  public init(from: PolicyState, to: PolicyState) {
    self.from = from
    self.to = to
  }

  /// Says what would be legal.
  public var description: String {
    if from == to { return "the policy is \(from.name) already" }
    if from.isFinal { return "no transition from \(from.name) to \(to.name): \(from.name) ends the contract" }
    let legal = from.successors.map(\.name).joined(separator: ", ")
    return "no transition from \(from.name) to \(to.name); from here only to \(legal)"
  }
}
