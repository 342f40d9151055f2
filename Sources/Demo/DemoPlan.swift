import PartnerDomain
import AgentDomain
import Core

/// All shares and probabilities of the demo data, in one place. They are invented, in the proportions that the requirements name
/// (P4, kpi.md) and that are common on the Chinese market; docs/demo-data.md shows what comes of them.
enum DemoPlan {
  /// What holds for a channel.
  struct Channel {
    let channel: SaleChannel
    /// System that its customers and policies come from.
    let source: String
    /// Of a thousand customers, who buy here first.
    let customers: Int
    /// Of a thousand policies, given back in the hesitation period.
    let cancelled: Int
    /// Of a thousand yearly premiums, not paid: at the first anniversary, the second, later ones.
    let unpaid: [Int]
    /// How far the months differ in sales, in percent of `season`.
    let season: Int
    /// Weights: single, annual, half-yearly, quarterly, monthly.
    let frequencies: [Int]
    /// Weights: whole life, term life, endowment, annuity, critical illness, medical, accident.
    let lines: [Int]
  }

  // swift-format-ignore
  static let channels = [
    //      channel           source         customers  cancelled  unpaid ‰ y1,y2,y3+     season  1×  yr ½  ¼  mon        WL  TL  EN  AN  CI  ME  AC
    Channel(.individualAgent, "demo-core",   450,       15,        [80, 45, 30],          100,    [ 6, 72, 5, 5, 12],    [24,  6,  6, 18, 30, 10,  6]),
    Channel(.intermediary,    "demo-broker", 180,       20,        [80, 50, 35],           80,    [ 6, 76, 4, 4, 10],    [28,  8,  0, 20, 34, 10,  0]),
    Channel(.bancassurance,   "demo-bank",   160,       35,        [190, 95, 60],         120,    [40, 60, 0, 0,  0],    [16,  0, 40, 44,  0,  0,  0]),
    Channel(.online,          "demo-online", 100,       25,        [170, 90, 60],          40,    [ 0, 50, 0, 5, 45],    [10, 18,  0,  0, 12, 40, 20]),
    Channel(.telesales,       "demo-core",    50,       60,        [200, 110, 70],         30,    [ 0, 35, 0, 10, 55],   [ 0, 14, 16,  0, 20, 26, 24]),
    Channel(.group,           "demo-group",   60,        5,        [60, 45, 40],           60,    [ 0, 85, 10, 5, 0],    [ 0, 24,  0,  0,  0, 44, 32]),
  ]

  /// What holds for a kind of product: amounts of one year's premium in yuan, the smaller ones more often.
  struct Line {
    let line: DemoProduct.Line
    /// Codes begin with it.
    let prefix: String
    /// Names end with it.
    let suffix: String
    let products: Int
    let premium: ClosedRange<Int>
    /// Sum assured for a yuan of premium.
    let cover: Int
    /// Whether it has a value for which it can be surrendered; without one it lapses at the end of grace.
    let hasCashValue: Bool
    /// Who sells the first, the second, … of its products, over and over.
    let channels: [[SaleChannel]]
  }

  // swift-format-ignore
  static let lines = [
    Line(.wholeLife,       "WL", "终身寿险",     12, 3_000...60_000,  30,    true,  [[.individualAgent, .intermediary], [.individualAgent, .bancassurance], [.intermediary], [.individualAgent, .intermediary, .online]]),
    Line(.termLife,        "TL", "定期寿险",      8, 400...4_000,     400,   false, [[.individualAgent, .online], [.online, .telesales], [.group], [.individualAgent, .intermediary]]),
    Line(.endowment,       "EN", "两全保险",      8, 5_000...80_000,  2,     true,  [[.bancassurance], [.bancassurance, .individualAgent], [.telesales, .individualAgent], [.bancassurance]]),
    Line(.annuity,         "AN", "年金保险",     10, 6_000...100_000, 3,     true,  [[.individualAgent, .intermediary], [.bancassurance], [.individualAgent, .bancassurance], [.intermediary]]),
    Line(.criticalIllness, "CI", "重大疾病保险",  9, 1_500...15_000,  50,    true,  [[.individualAgent, .intermediary], [.individualAgent], [.intermediary, .online], [.individualAgent, .intermediary, .telesales]]),
    Line(.medical,         "ME", "医疗保险",      7, 300...3_000,     1_000, false, [[.online, .individualAgent], [.online, .telesales], [.group], [.individualAgent, .intermediary]]),
    Line(.accident,        "AC", "意外伤害保险",  6, 120...900,       1_500, false, [[.online, .telesales], [.group], [.individualAgent, .online], [.telesales, .online]]),
  ]

  // Customers and parties
  static let customers = 10_000
  static let policies = 30_000
  /// Of a hundred people, whom two and three sources know: 10,000 people make 13,000 parties.
  static let inTwoSources = 24
  static let inThreeSources = 3
  /// Of a thousand parties, without a policy.
  static let withoutPolicy = 80
  /// Of a hundred parties, those that buy again, and their share of further policies in percent.
  static let loyal = 35
  static let loyalShare = 90

  // Organisation
  /// Kind, number, channel.
  static let agents: [(kind: AgentType, count: Int, channel: SaleChannel)] = [
    (.own, 290, .individualAgent), (.independent, 25, .individualAgent), (.partTime, 35, .individualAgent),
    (.partner, 50, .intermediary), (.staff, 60, .bancassurance), (.staff, 20, .telesales), (.staff, 20, .group),
  ]
  /// One agent of so many is a star; together they are given this percentage of the parties. Some regions have no star, so that
  /// 80 % of the customers are left to the top tenth (kpi.md).
  static let starEvery = 10
  static let starShare = 87
  /// Of a thousand other agents, who have left and who are suspended.
  static let left = 160
  static let suspended = 30
  /// Kind, then how many are among the top 20, the next 80, the others: 213 in all.
  static let partners: [(kind: PartnerKind, tiers: [Int])] = [
    (.intermediary, [12, 52, 76]), (.bank, [8, 22, 5]), (.ecosystem, [0, 6, 14]), (.insurer, [0, 0, 18]),
  ]
  /// Percent of the premium of these tiers. Some partners outgrow their tier, so that the top 20 come to 70 %, the top 100 to
  /// 98 % (P4).
  static let tierShares = [67, 29, 4]
  /// In yuan: whoever brings more is no customer of the smallest partners.
  static let smallPartnerPremium = 20_000
  /// Of a hundred online customers, who come through an ecosystem partner.
  static let ecosystemShare = 40

  // Products
  static let withdrawn = ["WL-03", "WL-09", "TL-05", "EN-03", "AN-04", "AN-09", "CI-03", "ME-02"]
  /// Contracts that end by themselves, and after how many years.
  static let terms = ["EN-01": 3, "EN-04": 3, "AC-01": 1, "AC-04": 1]
  /// Unpaid premiums of a product that is being withdrawn, in percent of the others.
  static let withdrawnUnpaid = 260

  // Time
  static let firstMonth = (year: 2022, month: 7)
  static let months = 42
  /// Weights of January to December: 开门红 in the first quarter, a dip in summer, the year's end.
  static let season = [185, 125, 120, 80, 82, 92, 55, 52, 82, 65, 82, 105]
  /// Weights of 2022 to 2025.
  static let growth = [92, 100, 107, 113]

  // Life of a policy
  /// Years in which premiums are due: at a bank, elsewhere. Longer than the history, so that every premium of it is due.
  static let payYearsAtBank = [5]
  static let payYears = [5, 10, 10, 20, 20]
  static let hesitationDays = 15
  static let graceDays = 60
  static let reinstatementDays = 730
  /// What becomes of an unpaid policy that has a cash value: surrendered, suspended, reinstated; in percent.
  static let unpaidWithValue = [50, 38, 12]
  /// The same without one: ends after grace, reinstated.
  static let unpaidWithoutValue = [88, 12]
  /// Unpaid premiums of those who pay monthly, in percent of the others.
  static let monthlyUnpaid = 130
  /// Per month, of 100,000 policies: surrendered between due dates; ended by a claim; premium waived (critical illness).
  static let surrenderedBetween = 110
  static let claimed = 25
  static let waived = 12
  /// Deaths per month of 100,000: below 40, below 60, older.
  static let deaths = [7, 22, 95]
  /// Of a thousand premiums after the first year, lent automatically.
  static let automaticLoans = 12
  /// Of a thousand premiums, paid late but within grace.
  static let paidInGrace = 180
}

extension DemoPlan.Channel {
  fileprivate init(
    _ channel: SaleChannel, _ source: String, _ customers: Int, _ cancelled: Int, _ unpaid: [Int], _ season: Int,
    _ frequencies: [Int], _ lines: [Int]
  ) {
    (self.channel, self.source, self.customers, self.cancelled) = (channel, source, customers, cancelled)
    (self.unpaid, self.season, self.frequencies, self.lines) = (unpaid, season, frequencies, lines)
  }
}

extension DemoPlan.Line {
  fileprivate init(
    _ line: DemoProduct.Line, _ prefix: String, _ suffix: String, _ products: Int, _ premium: ClosedRange<Int>,
    _ cover: Int, _ hasCashValue: Bool, _ channels: [[SaleChannel]]
  ) {
    (self.line, self.prefix, self.suffix, self.products) = (line, prefix, suffix, products)
    (self.premium, self.cover, self.hasCashValue, self.channels) = (premium, cover, hasCashValue, channels)
  }
}

extension DemoPlan {
  static func plan(of channel: SaleChannel) -> Channel { channels[channel.rawValue - 1] }
  static func plan(of line: DemoProduct.Line) -> Line { lines[line.rawValue - 1] }
}
