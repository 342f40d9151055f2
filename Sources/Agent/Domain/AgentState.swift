/// Where an agent's work stands; the numbers are the proto's.
public enum AgentState: Int, CaseIterable, Sendable {
  /// Works.
  case active = 1
  /// May not sell for a time.
  case suspended = 2
  /// Has left. Final.
  case left = 3

  /// The states to which one legal transition leads.
  public var successors: [AgentState] {
    switch self {
    case .active: [.suspended, .left]
    case .suspended: [.active, .left]
    case .left: []
    }
  }

  /// The name that the proto gives it, without its prefix.
  public var name: String {
    switch self {
    case .active: "ACTIVE"
    case .suspended: "SUSPENDED"
    case .left: "LEFT"
    }
  }
}

/// A change that the state of an agent does not allow.
public enum RefusedByState: Error, Equatable, CustomStringConvertible {
  /// No transition leads there.
  case transition(from: AgentState, to: AgentState)
  /// Who has left gets no licence.
  case licenceAfterLeaving

  /// Says what would be legal.
  public var description: String {
    switch self {
    case .transition(let from, let to) where from == to: "the agent is \(from.name) already"
    case .transition(let from, let to):
      from.successors.isEmpty
        ? "no transition from \(from.name) to \(to.name): who comes back is taken on anew"
        : "no transition from \(from.name) to \(to.name)"
    case .licenceAfterLeaving: "the agent has left and gets no more licences"
    }
  }
}
