import PartnerDomain
import Core

/// Policies and their instalments.
struct Portfolio {
  private(set) var policies: [DemoPolicy] = []
  private(set) var instalments: [DemoInstalment] = []
  private let seed: UInt64
  private let parties: [DemoParty]
  private let agents: [DemoAgent]
  private let choice: AgentChoice
  private let products: [DemoProduct]
  private let partners: PartnerChoice
  private var tiers = Quota(percent: DemoPlan.tierShares)
  private var stars = Quota(percent: [DemoPlan.starShare, 100 - DemoPlan.starShare])

  /// A contract before anything has happened to it.
  private struct Draft {
    let product: DemoProduct
    let frequency: PremiumFrequency
    /// In fen.
    let instalment: Int
    let payYears: Int
    let issueDate: CivilDate

    var annualPremium: Int { instalment * frequency.instalments }
  }

  init(seed: UInt64, count: Int, parties: [DemoParty], agents: [DemoAgent], catalogue: Catalogue) {
    (self.seed, self.parties, self.agents, products) = (seed, parties, agents, catalogue.products)
    choice = AgentChoice(agents)
    partners = PartnerChoice(catalogue.partners)
    policies.reserveCapacity(count)
    for (place, number) in counts(of: count).enumerated() where number > 0 { add(place, number) }
  }

  /// Policies of each party: `total` in all.
  private func counts(of total: Int) -> [Int] {
    var random = DemoRandom(seed: seed, "policies of parties")
    var counts = parties.map { _ in random.chance(perMille: DemoPlan.withoutPolicy) ? 0 : 1 }
    let loyal = parties.indices.filter { _ in random.below(100) < DemoPlan.loyal }
    guard !loyal.isEmpty else { return counts }
    for _ in 0..<max(0, total - counts.reduce(0, +)) {
      let isLoyal = random.below(100) < DemoPlan.loyalShare
      counts[isLoyal ? random.element(loyal) : random.below(parties.count)] += 1
    }
    return counts
  }

  private mutating func add(_ place: Int, _ count: Int) {
    let party = parties[place]
    var random = DemoRandom(seed: seed, "portfolio", place)
    let plan = DemoPlan.plan(of: party.channel)
    let drafts = (0..<count).map { _ in draft(plan, &random) }.sorted { $0.issueDate < $1.issueDate }
    var agent = party.agent
    var partner: DemoPartner?
    let premium = drafts.reduce(0) { $0 + $1.annualPremium }
    if let kind = partnerKind(party.channel, &random) {
      let isLarge = premium / 100 > DemoPlan.smallPartnerPremium
      partner = partners.one(kind, tier: isLarge ? min(tiers.furthestBehind, 1) : tiers.furthestBehind, &random)
      if let partner { tiers.take(partner.tier, amount: premium / 100) }
      if kind == .intermediary, let firm = partner?.code {
        agent = choice.one(ofFirm: firm, isStar: stars.next(), &random)
        if agent != nil { stars.take(choice.isStar(agent) ? 0 : 1) }
      }
    }
    for draft in drafts { add(draft, plan, party, agent, partner, &random) }
  }

  private func partnerKind(_ channel: SaleChannel, _ random: inout DemoRandom) -> PartnerKind? {
    switch channel {
    case .intermediary: .intermediary
    case .bancassurance: .bank
    case .online: random.below(100) < DemoPlan.ecosystemShare ? .ecosystem : nil
    default: nil
    }
  }

  private func draft(_ plan: DemoPlan.Channel, _ random: inout DemoRandom) -> Draft {
    while true {
      let day = DemoTime.issueDate(plan, &random)
      let line = DemoPlan.lines[random.index(weights: plan.lines)]
      let sold = products.filter { product in
        product.line == line.line && product.versionDays[0] <= day
          && product.windows.contains { $0.channel == plan.channel && $0.contains(day) }
      }
      guard !sold.isEmpty else { continue }
      let product = sold[random.index(weights: sold.map(\.weight))]
      let all: [PremiumFrequency] = [.single, .annual, .halfYearly, .quarterly, .monthly]
      var frequency = all[random.index(weights: plan.frequencies)]
      if frequency == .single, !line.hasCashValue { frequency = .annual }
      if product.termYears != nil { frequency = .single }
      let yuan = premium(line, plan, isSingle: frequency == .single, &random)
      let payYears =
        frequency == .single
        ? 1 : random.element(plan.channel == .bancassurance ? DemoPlan.payYearsAtBank : DemoPlan.payYears)
      return Draft(
        product: product, frequency: frequency, instalment: yuan * 100 / frequency.instalments, payYears: payYears,
        issueDate: day)
    }
  }

  /// One year's premium in yuan: small ones are frequent; a single one brings years at once, a company pays for all its people.
  private func premium(
    _ line: DemoPlan.Line, _ plan: DemoPlan.Channel, isSingle: Bool, _ random: inout DemoRandom
  ) -> Int {
    let rank = random.below(1_000)
    let (low, high) = (line.premium.lowerBound, line.premium.upperBound)
    var yuan = low + (high - low) * rank / 1_000 * rank / 1_000 * rank / 1_000
    if isSingle, line.hasCashValue { yuan = yuan * 3 }
    if plan.channel == .group { yuan = max(low * 20, yuan / 4 * random.between(15, 260)) }
    return yuan < 1_000 ? yuan / 12 * 12 + 12 : yuan / 120 * 120 + 120
  }

  private mutating func add(
    _ draft: Draft, _ plan: DemoPlan.Channel, _ party: DemoParty, _ agent: Int?, _ partner: DemoPartner?,
    _ random: inout DemoRandom
  ) {
    let seller = agent.flatMap { choice.onDuty($0, on: draft.issueDate) }
    let line = DemoPlan.plan(of: draft.product.line)
    let course = PolicyCourse(
      PolicyCourse.Terms(
        issueDate: draft.issueDate, frequency: draft.frequency, instalment: draft.instalment,
        payYears: draft.payYears, termYears: draft.product.termYears, hasCashValue: line.hasCashValue,
        canBeWaived: line.line == .criticalIllness, age: draft.issueDate.year - party.birthYear,
        cancelled: plan.cancelled, unpaid: unpaid(draft, plan, party, seller, partner)), &random)
    let place = policies.count
    policies.append(
      DemoPolicy(
        source: party.source, sourceKey: "P\(draft.issueDate.year)\(decimal(place + 1, digits: 8))",
        holderKey: party.sourceKey,
        productCode: draft.product.code, channel: plan.channel, frequency: draft.frequency,
        annualPremium: draft.annualPremium, sumAssured: draft.annualPremium * line.cover, issueDate: draft.issueDate,
        agentCode: seller.map { agents[$0].code } ?? "", partnerCode: partner?.code ?? "",
        branchCode: party.branchCode, state: course.state, endDate: course.endDate, endCause: course.endCause))
    instalments += course.instalments.map {
      DemoInstalment(
        policy: place, dueDate: $0.dueDate, due: draft.instalment, receivedDate: $0.receivedDate,
        isAutomaticLoan: $0.isAutomaticLoan)
    }
  }

  /// Of 100,000 yearly premiums, not paid in the first year, the second, later: the channel's, times what else matters.
  private func unpaid(
    _ draft: Draft, _ plan: DemoPlan.Channel, _ party: DemoParty, _ agent: Int?, _ partner: DemoPartner?
  ) -> [Int] {
    var percent = [quality(of: party.branchCode, 85...125)]
    if let partner { percent.append(quality(of: partner.code, partner.tier == 0 ? 75...130 : 65...190)) }
    if let agent { percent.append(agents[agent].isStar ? 90 : 120) }
    if draft.product.isWithdrawn { percent.append(DemoPlan.withdrawnUnpaid) }
    if draft.frequency == .monthly { percent.append(DemoPlan.monthlyUnpaid) }
    return plan.unpaid.map { rate in percent.reduce(rate * 100) { $0 * $1 / 100 } }
  }

  /// Branches and partners are better or worse than others, each always the same.
  private func quality(of code: String, _ range: ClosedRange<Int>) -> Int {
    var random = DemoRandom(seed: seed, code)
    return random.between(range.lowerBound, range.upperBound)
  }
}

/// Partners by kind and tier.
struct PartnerChoice {
  private let partners: [DemoPartner]

  init(_ partners: [DemoPartner]) { self.partners = partners }

  /// One of a kind in a tier, or in the next one that has some; earlier ones more often.
  func one(_ kind: PartnerKind, tier: Int, _ random: inout DemoRandom) -> DemoPartner? {
    for tier in tier...2 {
      let list = partners.filter { $0.kind == kind && $0.tier == tier }
      guard !list.isEmpty else { continue }
      let weights = list.indices.map { tier == 2 ? 1 : 3 * list.count - 2 * $0 }
      return list[random.index(weights: weights)]
    }
    return nil
  }
}
