import API
import Core
import ReportingDomain

/// Persistency in the survival form, by count or by premium.
struct SurvivalPersistencyReport: Report {
  let months: [Int]
  let isByPremium: Bool
  private var figures: [GroupKey: SurvivalPersistency] = [:]

  init(months: [Int], isByPremium: Bool) { (self.months, self.isByPremium) = (months, isByPremium) }

  var needsPremiums: Bool { false }

  var columns: [ReportColumn] {
    isByPremium
      ? [.text("currency"), .integer("month"), .integer("premium"), .integer("kept"), .decimal("persistency")]
      : [.integer("month"), .integer("policies"), .integer("kept"), .decimal("persistency")]
  }

  mutating func add(_ policy: ScannedPolicy, today: CivilDate) {
    let premium = policy.fact.annualPremium
    if isByPremium, premium == nil { return }
    let key = GroupKey(value: policy.group, currency: isByPremium ? premium?.currencyCode ?? "" : "")
    figures[key, default: SurvivalPersistency(months: months)]
      .add(policy.fact, weight: isByPremium ? premium?.minorUnits ?? 0 : 1, today: today)
  }

  var groups: [(value: String, rows: [[ReportCell]])] {
    figures.sorted { $0.key < $1.key }.map { key, figure in
      let rows = zip(figure.months, figure.shares).map { month, share -> [ReportCell] in
        (isByPremium ? [.text(key.currency)] : []) + [
          .integer(month), .integer(share.whole), .integer(share.part), .decimal(share.decimal()),
        ]
      }
      return (key.value, rows)
    }
  }
}

/// Persistency by premium, the Chinese default.
struct PremiumPersistencyReport: Report {
  let months: [Int]
  let rules: ReportingRules
  private var figures: [GroupKey: PremiumPersistency] = [:]

  init(months: [Int], rules: ReportingRules) { (self.months, self.rules) = (months, rules) }

  var needsPremiums: Bool { true }

  var columns: [ReportColumn] {
    [
      .text("currency"), .integer("month"), .integer("policies"), .integer("due"), .integer("received"),
      .decimal("persistency"),
    ]
  }

  mutating func add(_ policy: ScannedPolicy, today: CivilDate) {
    for currency in Set(policy.premiums.map(\.due.currencyCode)) {
      let key = GroupKey(value: policy.group, currency: currency)
      figures[key, default: PremiumPersistency(months: months, rules: rules)].add(
        policy.fact, premiums: policy.premiums.filter { $0.due.currencyCode == currency }, today: today)
    }
  }

  var groups: [(value: String, rows: [[ReportCell]])] {
    figures.sorted { $0.key < $1.key }.map { key, figure in
      let rows = figure.months.indices.map { index -> [ReportCell] in
        let share = figure.shares[index]
        return [
          .text(key.currency), .integer(figure.months[index]), .integer(figure.policies[index]),
          .integer(share.whole), .integer(share.part), .decimal(share.decimal()),
        ]
      }
      return (key.value, rows)
    }
  }
}
