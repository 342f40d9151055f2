import Core

/// Customers, and the parties that the sources know of them.
struct People {
  private(set) var parties: [DemoParty] = []
  private let seed: UInt64
  private let agents: AgentChoice
  private var quota = Quota(percent: [DemoPlan.starShare, 100 - DemoPlan.starShare])

  init(seed: UInt64, customers: Int, agents: [DemoAgent]) {
    self.seed = seed
    self.agents = AgentChoice(agents)
    // A customer's place in every hundred says how many sources know it, so that the number is exact.
    for customer in 0..<customers {
      let rank = customer * 37 % 100
      let isThrice = rank < DemoPlan.inThreeSources
      let isTwice = rank < DemoPlan.inThreeSources + DemoPlan.inTwoSources
      add(customer, sources: isThrice ? 3 : isTwice ? 2 : 1)
    }
  }

  private mutating func add(_ customer: Int, sources: Int) {
    var random = DemoRandom(seed: seed, "customer", customer)
    // Companies are known to one source.
    let plans = sources == 1 ? DemoPlan.channels : DemoPlan.channels.filter { $0.channel != .group }
    let first = plans[random.index(weights: plans.map(\.customers))]
    var agent = agents.any(first.channel, isStar: quota.next(), &random)
    // Who sells for the house sells where it lives; a broker's seller is found with the firm (`Portfolio`).
    if [.online, .intermediary].contains(first.channel) { agent = nil }
    let local = first.channel == .individualAgent ? agent.map { agents.region(of: $0) } : nil
    let region = local ?? Region.all[random.index(weights: Region.all.map(\.weight))]
    if agent != nil { quota.take(agents.isStar(agent) ? 0 : 1) }
    guard first.channel != .group else {
      return parties.append(Self.company(customer, first, region, agent, &random))
    }
    let truth = PersonTruth(region: region, &random)
    parties.append(truth.party(customer, first, agent: agent, variant: 0, &random))
    let others = DemoPlan.channels.filter { $0.channel != .group && $0.source != first.source }
    var used: Set<String> = []
    for variant in 1..<max(1, sources) {
      let open = others.filter { !used.contains($0.source) && $0.channel != .telesales }
      let plan = open[random.index(weights: open.map(\.customers))]
      used.insert(plan.source)
      var agent: Int?
      if ![.online, .intermediary].contains(plan.channel) {
        agent =
          plan.channel == .individualAgent
          ? agents.one(plan.channel, region: region, isStar: quota.next(), &random)
          : agents.any(plan.channel, isStar: quota.next(), &random)
        if agent != nil { quota.take(agents.isStar(agent) ? 0 : 1) }
      }
      parties.append(truth.party(customer, plan, agent: agent, variant: variant, &random))
    }
  }

  private static func company(
    _ customer: Int, _ plan: DemoPlan.Channel, _ region: Region, _ agent: Int?, _ random: inout DemoRandom
  ) -> DemoParty {
    let (name, short) = CompanyNames.customer(region: region, &random)
    let address = PersonTruth.Address(region: region, isOffice: true, &random)
    return DemoParty(
      source: plan.source, sourceKey: "G\(decimal(customer + 1, digits: 8))",
      subject: .company(name: name, shortName: short),
      identifiers: [(.unifiedSocialCreditCode, "CN", CompanyNames.companyCode(placeCode: region.placeCode, &random))],
      phones: ["0\(random.between(310, 999))-\(random.between(5_000_000, 8_999_999))"], emails: [],
      street: address.street, district: address.district, city: address.city.name, province: region.province,
      postalCode: address.postalCode, customer: customer, channel: plan.channel, branchCode: region.code, agent: agent,
      birthYear: 1985)
  }
}

/// Keeps shares: says which of several is furthest behind its share, and is told what was taken.
struct Quota {
  private let percent: [Int]
  private var taken: [Int]

  init(percent: [Int]) {
    self.percent = percent
    taken = percent.map { _ in 0 }
  }

  /// Place of the one that is furthest behind.
  var furthestBehind: Int {
    let total = taken.reduce(0, +)
    return percent.indices.max { left, right in
      let (a, b) = (percent[left] * total - taken[left] * 100, percent[right] * total - taken[right] * 100)
      return a == b ? percent[left] < percent[right] : a < b
    } ?? 0
  }

  /// Whether the first is furthest behind.
  func next() -> Bool { furthestBehind == 0 }

  mutating func take(_ place: Int, amount: Int = 1) { taken[place] += amount }
}

/// Agents by channel and region.
struct AgentChoice {
  private let agents: [DemoAgent]
  private let byChannel: [[Int]]

  init(_ agents: [DemoAgent]) {
    self.agents = agents
    byChannel = SaleChannel.allCases.map { channel in agents.indices.filter { agents[$0].channel == channel } }
  }

  func isStar(_ agent: Int?) -> Bool { agent.map { agents[$0].isStar } ?? false }

  func region(of agent: Int) -> Region {
    Region.all.first { $0.code == agents[agent].branchCode } ?? Region.all[0]
  }

  /// One of a channel, a star or not; nil if the channel has no agents.
  func any(_ channel: SaleChannel, isStar: Bool, _ random: inout DemoRandom) -> Int? {
    chosen(byChannel[channel.rawValue - 1], isStar: isStar, &random)
  }

  /// One of a channel in a region; nil if there is none.
  func one(_ channel: SaleChannel, region: Region, isStar: Bool, _ random: inout DemoRandom) -> Int? {
    chosen(
      byChannel[channel.rawValue - 1].filter { agents[$0].branchCode == region.code }, isStar: isStar, &random)
  }

  /// One of a firm.
  func one(ofFirm code: String, isStar: Bool, _ random: inout DemoRandom) -> Int? {
    chosen(
      byChannel[SaleChannel.intermediary.rawValue - 1].filter { agents[$0].partnerCode == code }, isStar: isStar,
      &random)
  }

  /// The agent, or on a day on which it does not work the first of its group, who takes over.
  func onDuty(_ agent: Int, on day: CivilDate) -> Int? {
    if agents[agent].works(on: day) { return agent }
    let own = agents[agent]
    return byChannel[own.channel.rawValue - 1].first {
      let other = agents[$0]
      return (own.kind == .partner ? other.partnerCode == own.partnerCode : other.branchCode == own.branchCode)
        && other.works(on: day)
    }
  }

  private func chosen(_ places: [Int], isStar: Bool, _ random: inout DemoRandom) -> Int? {
    let wanted = places.filter { agents[$0].isStar == isStar }
    let list = wanted.isEmpty ? places : wanted
    return list.isEmpty ? nil : random.element(list)
  }
}
