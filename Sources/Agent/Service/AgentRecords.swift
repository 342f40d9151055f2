import API
import AgentDomain
import Core
import RPCCore
import UseCases

// Branches, teams and agents as they are stored.

extension Branch: RecordMessage {
  /// What its id names.
  public typealias IDKind = BranchKind
  /// Its id as text; empty in what is stored.
  public var identifier: String {
    get { branchID }
    set { branchID = newValue }
  }
}

extension Team: RecordMessage {
  /// What its id names.
  public typealias IDKind = TeamKind
  /// Its id as text; empty in what is stored.
  public var identifier: String {
    get { teamID }
    set { teamID = newValue }
  }
}

extension Agent: RecordMessage {
  /// What its id names.
  public typealias IDKind = AgentKind
  /// Its id as text; empty in what is stored.
  public var identifier: String {
    get { agentID }
    set { agentID = newValue }
  }
}

extension StoredRecord where Content == Agent {
  /// The facts.
  func facts() throws -> AgentFacts {
    var faults = ViolationList()
    let facts = AgentFacts(content, faults: &faults)
    guard faults.violations.isEmpty else { throw RPCError.damaged("agent \(id)") }
    return facts
  }
}
