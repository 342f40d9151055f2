import PartnerDomain
import Core

/// Partners and products.
struct Catalogue {
  private(set) var partners: [DemoPartner] = []
  private(set) var products: [DemoProduct] = []

  init(seed: UInt64) {
    for group in DemoPlan.partners {
      var index = 0
      for (tier, count) in group.tiers.enumerated() {
        for _ in 0..<count {
          var random = DemoRandom(seed: seed, "partner", partners.count)
          partners.append(Self.partner(group.kind, index, tier, &random))
          index += 1
        }
      }
    }
    let insurers = partners.filter { $0.kind == .insurer }.map(\.code)
    for line in DemoPlan.lines {
      for index in 0..<line.products {
        var random = DemoRandom(seed: seed, line.prefix, index)
        products.append(Self.product(line, index, place: products.count, insurers, &random))
      }
    }
  }

  private static func partner(
    _ kind: PartnerKind, _ index: Int, _ tier: Int, _ random: inout DemoRandom
  ) -> DemoPartner {
    let region = Region.all[random.index(weights: Region.all.map(\.weight))]
    let prefix = ["", "JD", "YH", "BX", "ST"][kind.rawValue]
    let from = DemoTime.begin.adding(days: -random.between(60, 2_400))
    let hasEnd = tier == 2 || random.chance(perMille: 300)
    return DemoPartner(
      code: "\(prefix)-\(decimal(index + 1, digits: 3))", name: CompanyNames.partner(kind, index, region: region),
      kind: kind,
      companyCode: CompanyNames.companyCode(placeCode: region.placeCode, &random), contractFrom: from,
      contractUntil: hasEnd ? DemoTime.asOf.adding(days: random.between(10, 1_000)) : nil, tier: tier)
  }

  private static let series = [
    "安恒", "福瑞", "康泽", "鑫享", "臻传", "乐颐", "惠民", "金禧", "长盈", "优护", "悦享", "尊裕", "守护", "永嘉", "盛世", "传世",
  ]

  private static func product(
    _ line: DemoPlan.Line, _ index: Int, place: Int, _ insurers: [String], _ random: inout DemoRandom
  ) -> DemoProduct {
    let code = "\(line.prefix)-\(decimal(index + 1, digits: 2))"
    let isWithdrawn = DemoPlan.withdrawn.contains(code)
    let term = DemoPlan.terms[code]
    // The first products of a line are old, so that every channel has had something to sell from the beginning.
    let isLate = index >= 4 && index % 3 == 1 && !isWithdrawn
    let launched = DemoTime.begin.adding(days: isLate ? random.between(150, 1_000) : -random.between(100, 1_500))
    let lastDay = isWithdrawn ? DemoTime.begin.adding(days: random.between(450, 1_080)) : nil
    let versions = [launched] + (isWithdrawn ? [] : laterVersions(launched, &random))
    let termText = term.map { $0 == 1 ? "一年期" : "三年期" } ?? ""
    let windows = line.channels[index % line.channels.count].enumerated().map { number, channel in
      // The second channel follows two months later.
      DemoProduct.Window(channel: channel, from: launched.adding(days: number * 60), until: lastDay)
    }
    return DemoProduct(
      code: code, name: series[(line.line.rawValue * 5 + index) % series.count] + termText + line.suffix,
      line: line.line,
      insurerCode: place % 4 == 3 ? insurers[place / 4 % insurers.count] : "",
      minimumAnnualPremium: line.premium.lowerBound * 100, versionDays: versions, windows: windows,
      isWithdrawn: isWithdrawn, weight: term == 1 ? 6 : random.between(2, 10) * random.between(2, 10),
      termYears: term)
  }

  private static func laterVersions(_ launched: CivilDate, _ random: inout DemoRandom) -> [CivilDate] {
    var days: [CivilDate] = []
    var day = launched
    for _ in 0..<random.below(4) {
      day = day.adding(days: random.between(250, 700))
      if day <= DemoTime.asOf { days.append(day) }
    }
    return days
  }
}
