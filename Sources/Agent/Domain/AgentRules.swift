import Core

extension AgentFacts {
  /// Notes every limit of proto/mainstay/agent/v1/agent_service.proto that the facts break.
  public func validate(into faults: inout ViolationList) {
    AgentCode.check(code, into: &faults)
    faults.check(name, length: 1...128, "name")
    PartnerOfPartnerAgents.check(type, partnerID, into: &faults)
    faults.check(grade, length: 0...16, "grade")
    AgentFacts.validate(licences, into: &faults)
  }

  /// Notes the faults of an agent's licences, in the order in which they came: their limits, too many of them, and a number that
  /// stands twice.
  public static func validate(_ licences: [Licence], into faults: inout ViolationList) {
    faults.check(count: licences.count, atMost: maximumLicences, "licences")
    var numbers: Set<String> = []
    for (index, licence) in licences.enumerated() {
      licence.validate("licences[\(index)]", into: &faults)
      if !numbers.insert(licence.number).inserted { faults.add("licences[\(index)].number", "stands twice") }
    }
  }

  /// The facts after a change of state. Who leaves does so on the effective date.
  public func moved(to state: AgentState, effective: CivilDate) throws -> AgentFacts {
    guard self.state.successors.contains(state) else {
      throw RefusedByState.transition(from: self.state, to: state)
    }
    var faults = ViolationList()
    if effective < joinDate { faults.add("effective_date", "lies before join_date") }
    try faults.throwIfAny()
    var result = self
    result.state = state
    result.leaveDate = state == .left ? effective : nil
    return result
  }

  /// The facts with one more licence, which is within its own limits. Whether the number is free among all agents is not known
  /// here.
  public func adding(_ licence: Licence) throws -> AgentFacts {
    guard state != .left else { throw RefusedByState.licenceAfterLeaving }
    var faults = ViolationList()
    if licences.count >= AgentFacts.maximumLicences {
      faults.add("licence", "is one too many; at most \(AgentFacts.maximumLicences) are allowed")
    }
    try faults.throwIfAny()
    var result = self
    result.licences = licences + [licence]
    return result
  }

  /// Whether the agent may sell this line in this region on this day: it works, and a licence allows it.
  public func maySell(_ line: LicenceLine, region: String, on date: CivilDate) -> Bool {
    state == .active && joinDate <= date && licences.contains { $0.covers(line, region: region, on: date) }
  }
}

/// Rule: a staff number can be read out and typed anywhere.
enum AgentCode {
  static func check(_ code: String, into faults: inout ViolationList) {
    let isRight = code.utf8.allSatisfy { byte in
      (97...122).contains(byte) || (65...90).contains(byte) || (48...57).contains(byte) || byte == UInt8(ascii: "-")
    }
    if !isRight || !(1...32).contains(code.utf8.count) {
      faults.add("code", "must be 1 to 32 letters, digits or \"-\"")
    }
  }
}

/// Rule: an agent of a partner names its firm, and nobody else names one.
enum PartnerOfPartnerAgents {
  static func check(_ type: AgentType, _ partnerID: PartnerID?, into faults: inout ViolationList) {
    if type == .partner, partnerID == nil { faults.add("partner_id", "is required for an agent of type PARTNER") }
    if type != .partner, partnerID != nil { faults.add("partner_id", "is given, and the type is not PARTNER") }
  }
}
