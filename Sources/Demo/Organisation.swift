import AgentDomain
import Core

/// Branches, teams and agents.
struct Organisation {
  private(set) var branches: [DemoBranch] = []
  private(set) var teams: [DemoTeam] = []
  private(set) var agents: [DemoAgent] = []

  /// Agents of a team, roughly.
  private static let teamSize = 9

  init(seed: UInt64, partners: [DemoPartner]) {
    branches = Region.all.map { DemoBranch(code: $0.code, name: "\($0.name)分公司", region: $0.province) }
    var teamCounts: [Int] = []
    let heads = DemoPlan.agents.reduce(0) { $0 + ($1.kind == .partner ? 0 : $1.count) }
    for (region, count) in zip(Region.all, apportioned(heads, weights: Region.all.map(\.weight), atLeast: 3)) {
      teamCounts.append(max(1, count / Self.teamSize))
      for number in 1...max(1, count / Self.teamSize) {
        teams.append(DemoTeam(branchCode: region.code, name: "\(region.name)第\(Self.chinese(number))营业部"))
      }
    }
    var numbers = [Int](repeating: 0, count: Region.all.count)
    for group in DemoPlan.agents {
      // Every region has an agent of the house; the small groups are where the business is.
      let minimum = group.kind == .own ? 3 : 0
      let counts = apportioned(group.count, weights: Region.all.map(\.weight), atLeast: minimum)
      let stars = apportioned(group.count / DemoPlan.starEvery, weights: Region.all.map(\.weight))
      let firms = partners.filter { $0.kind == .intermediary && $0.tier == 0 }
      for (place, region) in Region.all.enumerated() {
        for number in 0..<counts[place] {
          var random = DemoRandom(seed: seed, "agent", agents.count)
          numbers[place] += 1
          let team = group.kind == .partner ? "" : Self.teamName(region, (numbers[place] - 1) % teamCounts[place] + 1)
          let firm = group.kind == .partner ? firms[agents.count % firms.count].code : ""
          agents.append(
            Self.agent(
              group.kind, group.channel, region, number: numbers[place], team: team, firm: firm,
              isStar: number < min(stars[place], counts[place]), isFirst: number == 0, &random))
        }
      }
    }
  }

  private static func teamName(_ region: Region, _ number: Int) -> String {
    "\(region.name)第\(chinese(number))营业部"
  }

  /// 1 to 19 in Chinese.
  private static func chinese(_ number: Int) -> String {
    let digits = ["", "一", "二", "三", "四", "五", "六", "七", "八", "九"]
    return number < 10 ? digits[number] : "十" + digits[number % 10]
  }

  private static func agent(
    _ kind: AgentType, _ channel: SaleChannel, _ region: Region, number: Int, team: String, firm: String,
    isStar: Bool, isFirst: Bool, _ random: inout DemoRandom
  ) -> DemoAgent {
    // The first of each group and the stars have been there all the time and stay: they take over the customers of those who left.
    let isSteady = isStar || isFirst
    let joined = DemoTime.begin.adding(days: isSteady ? -random.between(400, 4_000) : random.between(-2_500, 1_050))
    var (state, since): (AgentState, CivilDate?) = (.active, nil)
    if !isSteady {
      let fate = random.below(1_000)
      let earliest = max(joined.adding(days: 120), DemoTime.begin.adding(days: 90))
      let span = DemoTime.asOf.daysSinceEpoch - earliest.daysSinceEpoch
      if fate < DemoPlan.left, span > 30 {
        (state, since) = (.left, earliest.adding(days: random.below(span)))
      } else if fate < DemoPlan.left + DemoPlan.suspended {
        (state, since) = (.suspended, DemoTime.asOf.adding(days: -random.between(5, 100)))
      }
    }
    let code = "\(region.code)-\(kind == .partner ? "P" : "")\(decimal(number, digits: 4))"
    let name = PersonNames.draw(female: random.chance(perMille: 640), &random).full
    // Employees and people of brokers sell everywhere.
    let isLocal = kind != .partner && kind != .staff
    let grade = isStar ? random.between(4, 5) : random.between(1, joined < DemoTime.begin ? 4 : 2)
    return DemoAgent(
      code: code, name: name, kind: kind, branchCode: region.code, teamName: team, partnerCode: firm, grade: "\(grade)",
      joinDate: joined, state: state, stateDate: since,
      licences: licences(code, isLocal ? region.province : "*", joined, until: since, &random), isStar: isStar,
      channel: channel)
  }

  /// Life for all, health and accident for most; a few run out with the history.
  private static func licences(
    _ code: String, _ region: String, _ joined: CivilDate, until left: CivilDate?, _ random: inout DemoRandom
  ) -> [DemoAgent.Licence] {
    let end = left ?? (random.chance(perMille: 40) ? DemoTime.asOf : nil)
    let lines: [LicenceLine] = random.chance(perMille: 850) ? [.life, .healthAndAccident] : [.life]
    return lines.map { line in
      let until = end ?? (random.chance(perMille: 500) ? DemoTime.asOf.adding(days: random.between(200, 1_100)) : nil)
      return DemoAgent.Licence(
        number: "0\(line.rawValue)\(joined.year)\(code)", line: line, region: region, from: joined, until: until)
    }
  }
}
