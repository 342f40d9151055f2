import AgentDomain
import Core
import Testing

@Suite struct AgentRuleTests {
  @Test func aPlainAgentIsRight() throws {
    #expect(try faults { try makeAgent() } == [])
    #expect(try faults { try makeAgent(type: .partner, partnerID: .placeholder) } == [])
  }

  @Test func everyFaultIsToldAtOnce() throws {
    let found = try faults {
      try makeAgent(
        code: "a b", name: "", type: .partner, grade: String(repeating: "3", count: 17),
        licences: [
          makeLicence("", region: ""), makeLicence("L", from: "2026-02-01", until: "2026-01-31"), makeLicence("L"),
        ])
    }
    #expect(
      found == [
        "code", "name", "partner_id", "grade", "licences[0].number", "licences[0].region", "licences[1].valid_until",
        "licences[2].number",
      ])
  }

  @Test(arguments: ["", "代理1", "A_1", String(repeating: "A", count: 33)])
  func aStaffNumberHasLettersDigitsAndHyphensOnly(code: String) throws {
    #expect(try faults { try makeAgent(code: code) } == ["code"])
  }

  @Test func onlyAnAgentOfAPartnerNamesItsFirm() throws {
    #expect(try faults { try makeAgent(type: .own, partnerID: .placeholder) } == ["partner_id"])
    #expect(try faults { try makeAgent(type: .partner) } == ["partner_id"])
  }

  @Test func anAgentHasAtMost32Licences() throws {
    let licences = try (0..<33).map { try makeLicence("L\($0)") }
    #expect(try faults { try makeAgent(licences: licences) } == ["licences"])
    let full = try makeAgent(licences: Array(licences.dropLast()))
    #expect(try faults { full } == [])
    #expect(throws: InvalidRecord.self) { try full.adding(licences[32]) }
  }

  @Test func whoHasLeftGetsNoLicence() throws {
    let left = try makeAgent().moved(to: .left, effective: try day("2026-03-01"))
    #expect(throws: RefusedByState.licenceAfterLeaving) { try left.adding(try makeLicence("L")) }
  }

  private func faults(_ agent: () throws -> AgentFacts) throws -> [String] {
    var faults = ViolationList()
    try agent().validate(into: &faults)
    return faults.violations.map(\.path)
  }
}

@Suite struct AgentStateTests {
  /// The whole table: from, to, legal.
  @Test(arguments: AgentState.allCases, AgentState.allCases)
  func activeAndSuspendedTakeTurnsAndLeftIsTheEnd(from: AgentState, to: AgentState) throws {
    let legal = (from == .active && to != .active) || (from == .suspended && to != .suspended)
    let agent = try makeAgent(state: from)
    if legal {
      let date = try day("2026-03-01")
      let moved = try agent.moved(to: to, effective: date)
      #expect(moved.state == to && moved.leaveDate == (to == .left ? date : nil))
    } else {
      #expect(throws: RefusedByState.transition(from: from, to: to)) {
        try agent.moved(to: to, effective: try day("2026-03-01"))
      }
    }
  }

  @Test func nothingHoldsBeforeTheFirstDay() throws {
    #expect(throws: InvalidRecord([Violation("effective_date", "lies before join_date")])) {
      try makeAgent().moved(to: .left, effective: try day("2025-12-31"))
    }
    #expect(try makeAgent().moved(to: .left, effective: try day("2026-01-01")).state == .left)
  }

  @Test func aRefusalSaysWhatToDo() {
    #expect(RefusedByState.transition(from: .active, to: .active).description == "the agent is ACTIVE already")
    #expect(RefusedByState.transition(from: .left, to: .active).description.contains("taken on anew"))
  }
}

@Suite struct LicenceTests {
  @Test func aLicenceCoversItsLineItsRegionAndItsDays() throws {
    let licence = try makeLicence("L", region: "广东省", from: "2026-01-01", until: "2026-12-31")
    #expect(licence.covers(.life, region: "广东省", on: try day("2026-01-01")))
    #expect(licence.covers(.life, region: "广东省", on: try day("2026-12-31")))
    #expect(!licence.covers(.life, region: "广东省", on: try day("2025-12-31")))
    #expect(!licence.covers(.life, region: "广东省", on: try day("2027-01-01")))
    #expect(!licence.covers(.property, region: "广东省", on: try day("2026-06-01")))
    #expect(!licence.covers(.life, region: "北京市", on: try day("2026-06-01")))
  }

  @Test func aLicenceForTheWholeCountryWithoutEndCoversAllRegionsForEver() throws {
    let licence = try makeLicence("L", region: "*")
    #expect(licence.covers(.life, region: "北京市", on: try day("9999-12-31")))
  }

  @Test func onlyAnActiveAgentMaySell() throws {
    let agent = try makeAgent(licences: [makeLicence("L", region: "*")])
    let date = try day("2026-06-01")
    #expect(agent.maySell(.life, region: "北京市", on: date))
    #expect(!agent.maySell(.property, region: "北京市", on: date))
    #expect(!agent.maySell(.life, region: "北京市", on: try day("2025-12-31")))
    let suspended = try agent.moved(to: .suspended, effective: date)
    #expect(!suspended.maySell(.life, region: "北京市", on: date))
  }
}

@Suite struct OrganisationTests {
  @Test(arguments: ["", "gd", "G D", "广东", String(repeating: "A", count: 17)])
  func aBranchCodeHasCapitalsDigitsAndHyphensOnly(code: String) {
    var faults = ViolationList()
    BranchFacts(code: code, name: "", region: "").validate(into: &faults)
    #expect(faults.violations.map(\.path) == ["code", "name", "region"])
  }

  @Test func aTeamHasAName() {
    var faults = ViolationList()
    TeamFacts(branchID: .placeholder, name: String(repeating: "队", count: 129)).validate(into: &faults)
    #expect(faults.violations.map(\.path) == ["name"])
  }
}

@Suite struct ActivityRuleTests {
  @Test func anActivityHasHappenedAndIsNoLongerThanADay() {
    let now = Timestamp(microsecondsSinceEpoch: 1_000_000_000)
    func faults(_ offset: Int64, minutes: Int = 0, notes: String = "") -> [String] {
      var faults = ViolationList()
      ActivityFacts(
        agentID: .placeholder, kind: .visit,
        time: Timestamp(microsecondsSinceEpoch: now.microsecondsSinceEpoch + offset), durationMinutes: minutes,
        notes: notes
      ).validate(now: now, into: &faults)
      return faults.violations.map(\.path)
    }
    #expect(faults(0, minutes: 1_440, notes: String(repeating: "话", count: 1_024)) == [])
    #expect(faults(ActivityFacts.clockToleranceMicroseconds) == [])
    #expect(
      faults(60_000_001, minutes: 1_441, notes: String(repeating: "话", count: 1_025))
        == ["activity_time", "duration_minutes", "notes"])
    #expect(faults(0, minutes: -1) == ["duration_minutes"])
  }
}

func day(_ text: String) throws -> CivilDate { try #require(CivilDate(text)) }

func makeLicence(
  _ number: String, line: LicenceLine = .life, region: String = "广东省", from: String = "2026-01-01", until: String? = nil
) throws -> Licence {
  Licence(
    number: number, line: line, region: region, validFrom: try day(from), validUntil: try until.map { try day($0) })
}

func makeAgent(
  code: String = "A-1", name: String = "王丽华", type: AgentType = .own, partnerID: PartnerID? = nil, grade: String = "3",
  state: AgentState = .active, licences: [Licence] = []
) throws -> AgentFacts {
  AgentFacts(
    code: code, name: name, type: type, branchID: .placeholder, partnerID: partnerID, grade: grade, state: state,
    joinDate: try day("2026-01-01"), licences: licences)
}
