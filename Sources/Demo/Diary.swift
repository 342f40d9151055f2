import Core

/// What agents did in the last quarter of the history.
struct Diary {
  private(set) var activities: [DemoActivity] = []

  private static let days = 92
  private static let notes = [
    "约下周面谈", "已发计划书", "对重疾险感兴趣", "关注养老规划", "介绍了新客户", "需与家人商量", "预算有限,推荐定期寿险", "已预约体检", "参加客户答谢会",
    "保单年检", "希望了解教育金", "换了手机号,已更新",
  ]
  /// Weights: visit, call, invitation.
  private static let kinds = [44, 42, 14]
  /// Weights by kind: no answer, refused, follow-up, proposal, sold.
  private static let outcomes = [[4, 22, 40, 24, 10], [34, 30, 30, 5, 1], [10, 28, 52, 8, 2]]

  init(seed: UInt64, percent: Int, agents: [DemoAgent], parties: [DemoParty]) {
    var clients = [[Int]](repeating: [], count: agents.count)
    for (place, party) in parties.enumerated() {
      if let agent = party.agent { clients[agent].append(place) }
    }
    for (place, agent) in agents.enumerated() {
      var random = DemoRandom(seed: seed, "diary", place)
      let full = agent.isStar ? random.between(90, 150) : random.between(8, 60)
      for _ in 0..<max(1, full * percent / 100) {
        let day = DemoTime.asOf.adding(days: -random.below(Self.days))
        // Own people see few on Sundays.
        guard agent.works(on: day), day.daysSinceEpoch % 7 != 3 || random.below(4) == 0 else { continue }
        activities.append(Self.activity(place, clients[place], on: day, &random))
      }
    }
  }

  private static func activity(
    _ agent: Int, _ clients: [Int], on day: CivilDate, _ random: inout DemoRandom
  ) -> DemoActivity {
    let kind = random.index(weights: kinds)
    let outcome = random.index(weights: outcomes[kind])
    let isClient = !clients.isEmpty && random.chance(perMille: outcome == 4 ? 950 : 650)
    // Nine in the morning to eight in the evening in Shanghai (UTC+8).
    let seconds = day.daysSinceEpoch * 86_400 + random.between(1 * 3_600, 12 * 3_600)
    return DemoActivity(
      agent: agent, party: isClient ? random.element(clients) : nil, kind: kind + 1, outcome: outcome + 1,
      seconds: seconds, minutes: outcome == 0 ? 0 : kind == 0 ? random.between(20, 120) : random.between(2, 25),
      notes: outcome > 1 && random.chance(perMille: 450) ? random.element(notes) : "")
  }
}
