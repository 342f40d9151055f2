import Core

/// A person who sells, without what the service adds (id, version, times).
public struct AgentFacts: Hashable, Sendable {
  /// Staff number (工号), unique: letters, digits and "-"; 1 to 32. Never changes.
  public let code: String
  /// 1 to 128 characters.
  public let name: String
  /// Who the agent belongs to; never changes.
  public let type: AgentType
  /// Where it works.
  public let branchID: BranchID
  /// A team of that branch, or nil.
  public let teamID: TeamID?
  /// The firm of an agent of type PARTNER; nil for all others.
  public let partnerID: PartnerID?
  /// Seller grade; at most 16 characters.
  public let grade: String
  /// Where its work stands.
  public internal(set) var state: AgentState
  /// First day.
  public let joinDate: CivilDate
  /// Last day; given if and only if it has left.
  public internal(set) var leaveDate: CivilDate?
  /// At most 32.
  public internal(set) var licences: [Licence]

  /// Most licences of one agent.
  public static let maximumLicences = 32

  /// An agent as it came from outside; `validate` says whether it may be kept.
  public init(
    code: String, name: String, type: AgentType, branchID: BranchID, teamID: TeamID? = nil,
    partnerID: PartnerID? = nil, grade: String = "", state: AgentState = .active, joinDate: CivilDate,
    leaveDate: CivilDate? = nil, licences: [Licence] = []
  ) {
    self.code = code
    self.name = name
    self.type = type
    self.branchID = branchID
    self.teamID = teamID
    self.partnerID = partnerID
    self.grade = grade
    self.state = state
    self.joinDate = joinDate
    self.leaveDate = leaveDate
    self.licences = licences
  }
}

/// Who an agent belongs to; the numbers are the proto's.
public enum AgentType: Int, Sendable {
  /// The insurer's own agent.
  case own = 1
  /// For itself.
  case independent = 2
  /// Beside another occupation.
  case partTime = 3
  /// Of a partner; its firm manages it.
  case partner = 4
  /// An employee.
  case staff = 5
}
