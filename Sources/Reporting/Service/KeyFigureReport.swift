import API
import Core
import ReportingDomain

/// The key figures, one per row.
struct KeyFigureReport: Report {
  /// All that are known; nil where that is no figure of the report.
  private let customers: Int64?
  private var figures: [String: KeyFigures] = [:]

  /// Nothing counted yet. `customers` is for a report that is not divided.
  init(customers: Int64?) {
    self.customers = customers
    if customers != nil { figures[DimensionText.all] = KeyFigures() }
  }

  /// What each figure means.
  static let definitions = [
    define(
      "customers",
      "all customers, also those without a policy; of the source if one is named. Only in a report of today that is neither "
        + "divided nor limited to months of issue"),
    define("customers_with_policy", "customers who hold or held a policy that is counted in policies"),
    define(
      "policies", "policies issued, those that have ended included, those proposed or withdrawn in hesitation not"),
    define("policies_without_premium", "of these, those whose annual premium is not known"),
    define("premium", "annual premium of policies, or the whole if single; by currency"),
    define("premium_per_customer", "premium ÷ customers_with_policy"),
    define("policies_per_customer", "policies whose customer is known ÷ customers_with_policy"),
    define("add_on_rate", "customers with two such policies or more ÷ customers_with_policy"),
  ]

  private static func define(_ name: String, _ definition: String) -> FigureDefinition {
    FigureDefinition(name: name, definition: definition)
  }

  var needsPremiums: Bool { false }
  var columns: [ReportColumn] { [.text("figure"), .text("unit"), .decimal("value")] }

  mutating func add(_ policy: ScannedPolicy, today: CivilDate) {
    figures[policy.group, default: KeyFigures()].add(policy.fact)
  }

  var groups: [(value: String, rows: [[ReportCell]])] {
    figures.sorted { $0.key < $1.key }.map { ($0.key, rows($0.value)) }
  }

  private func rows(_ figures: KeyFigures) -> [[ReportCell]] {
    func row(_ figure: String, _ unit: String, _ value: String?) -> [ReportCell] {
      [.text(figure), .text(unit), .decimal(value)]
    }
    var rows = customers.map { [row("customers", "customers", "\($0)")] } ?? []
    rows += [
      row("customers_with_policy", "customers", "\(figures.customers)"),
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
