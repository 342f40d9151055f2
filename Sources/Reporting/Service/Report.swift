import API
import Core
import ReportingDomain
import RPCCore
import UseCases

/// A report that can be run: what it counts, and how it is printed.
protocol Report {
  /// Whether it needs the instalments of policies.
  var needsPremiums: Bool { get }
  /// Its columns behind the dimension's.
  var columns: [ReportColumn] { get }
  /// Counts a policy.
  mutating func add(_ policy: ScannedPolicy, today: CivilDate)
  /// The rows of each value of the dimension, without it, in order.
  var groups: [(value: String, rows: [[ReportCell]])] { get }
}

/// The reports that there are.
enum ReportCatalogue {
  /// What a report can be divided by.
  static let dimensions = Dimension.all.filter { $0 != .unspecified }

  static let descriptions = [
    ReportDescription(
      name: "kpi", summary: "Customers, policies and premium, and how they relate.", dimensions: dimensions,
      figures: KeyFigureReport.definitions),
    ReportDescription(
      name: "persistency", summary: "Share of policies or premium that is kept to month m.", dimensions: dimensions),
    ReportDescription(
      name: "survival", summary: "Kaplan-Meier curve of the time until surrender, or until any end.",
      dimensions: dimensions),
    ReportDescription(name: "end-causes", summary: "Why policies have ended.", dimensions: dimensions),
  ]

  /// The report that a request names; NOT_FOUND if there is none, INVALID_ARGUMENT for a parameter that it does not have.
  static func report(
    _ request: RunReportRequest, _ parameters: ReportParameters, rules: ReportingRules, customers: Int64?
  ) throws -> any Report {
    var faults = ViolationList()
    func refuse(_ isGiven: Bool, _ field: String) {
      if isGiven { faults.add(field, "the report \(request.name) has no such parameter") }
    }
    if request.name != "persistency" {
      refuse(request.form != .unspecified, "form")
      refuse(request.basis != .unspecified, "basis")
    }
    if request.name != "survival" { refuse(request.event != .unspecified, "event") }
    if request.name != "survival", request.name != "persistency" { refuse(!request.months.isEmpty, "months") }
    let report: any Report
    switch request.name {
    case "kpi": report = KeyFigureReport(customers: customers)
    case "persistency":
      let months = parameters.months.isEmpty ? [13, 25, 37, 49, 61] : parameters.months
      report =
        parameters.form == .premium
        ? PremiumPersistencyReport(months: months, rules: rules)
        : SurvivalPersistencyReport(months: months, isByPremium: parameters.basis == .premium)
    case "survival":
      report = SurvivalReport(months: parameters.months, event: parameters.event == .anyEnd ? .anyEnd : .surrender)
    case "end-causes": report = EndCauseReport()
    default: throw RPCError(.notFound, "no report \(request.name); ListReports names them")
    }
    try faults.throwIfAny()
    return report
  }
}

extension ReportColumn {
  static func text(_ name: String) -> ReportColumn { ReportColumn(name: name, kind: .text) }
  static func integer(_ name: String) -> ReportColumn { ReportColumn(name: name, kind: .integer) }
  static func decimal(_ name: String) -> ReportColumn { ReportColumn(name: name, kind: .decimal) }
}

extension ReportCell {
  static func text(_ text: String) -> ReportCell { ReportCell(value: .text(text)) }
  static func integer(_ number: some BinaryInteger) -> ReportCell { ReportCell(value: .integer(Int64(number))) }
  /// A decimal number; a cell without a value if there is none.
  static func decimal(_ text: String?) -> ReportCell { ReportCell(value: text.map { .decimal($0) }) }
}

/// What rows are kept apart by.
struct GroupKey: Hashable, Comparable {
  let value: String
  let currency: String

  static func < (left: GroupKey, right: GroupKey) -> Bool {
    (left.value, left.currency) < (right.value, right.currency)
  }
}
