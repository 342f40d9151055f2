import API
import Core
import ReportingDomain

/// The key figures, one per row.
struct KeyFigureReport: Report {
  private var figures: [String: KeyFigures] = [:]

  init() {}

  var needsPremiums: Bool { false }
  var columns: [ReportColumn] { [.text("figure"), .text("unit"), .decimal("value")] }

  mutating func add(_ policy: ScannedPolicy, today: CivilDate) {
    figures[policy.group, default: KeyFigures()].add(policy.fact)
  }

  var groups: [(value: String, rows: [[ReportCell]])] {
    figures.sorted { $0.key < $1.key }.map { ($0.key, Self.rows($0.value)) }
  }

  private static func rows(_ figures: KeyFigures) -> [[ReportCell]] {
    func row(_ figure: String, _ unit: String, _ value: String?) -> [ReportCell] {
      [.text(figure), .text(unit), .decimal(value)]
    }
    var rows = [
      row("customers", "customers", "\(figures.customers)"),
      row("policies", "policies", "\(figures.policies)"),
      row("policies_without_premium", "policies", "\(figures.withoutPremium)"),
    ]
    for (currency, premium) in figures.premium.sorted(by: { $0.key < $1.key }) {
      let unit = "minor units \(currency)"
      rows.append(row("premium", unit, "\(premium)"))
      rows.append(row("premium_per_customer", unit, figures.premiumPerHead(currency).decimal(2)))
    }
    return rows + [
      row("policies_per_customer", "policies", figures.policiesPerHead.decimal()),
      row("add_on_rate", "share", figures.addOnRate.decimal()),
    ]
  }
}
