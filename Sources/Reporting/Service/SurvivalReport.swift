import API
import Core
import ReportingDomain

/// Kaplan-Meier curves.
struct SurvivalReport: Report {
  /// Months at which to read the curve; empty reads it at each month to its end.
  let months: [Int]
  let event: SurvivalCurve.Event
  private var curves: [String: SurvivalCurve] = [:]

  init(months: [Int], event: SurvivalCurve.Event) { (self.months, self.event) = (months, event) }

  var needsPremiums: Bool { false }

  var columns: [ReportColumn] {
    [.integer("month"), .integer("at_risk"), .integer("events"), .decimal("survival")]
  }

  mutating func add(_ policy: ScannedPolicy, today: CivilDate) {
    curves[policy.group, default: SurvivalCurve(event: event)].add(policy.fact, today: today)
  }

  var groups: [(value: String, rows: [[ReportCell]])] {
    curves.sorted { $0.key < $1.key }.map { value, curve in
      let months = self.months.isEmpty ? Array(0...lastMonth(curve)) : self.months
      let rows = curve.values(at: months).map { point -> [ReportCell] in
        [
          .integer(point.month), .integer(point.atRisk), .integer(point.events),
          .decimal(point.survival.map(Self.nineDecimals)),
        ]
      }
      return (value, rows)
    }
  }

  private func lastMonth(_ curve: SurvivalCurve) -> Int {
    min(Int((curve.longest?.micromonths ?? 0) / PolicyDuration.month), ReportParameters.maximumMonth)
  }

  /// A number from 0 to 1.
  private static func nineDecimals(_ number: Double) -> String {
    Share(part: Int64((number * 1e9).rounded()), whole: 1_000_000_000).decimal(9) ?? ""
  }
}

/// How many policies ended, and why.
struct EndCauseReport: Report {
  private var counts: [String: [String: Int64]] = [:]

  init() {}

  var needsPremiums: Bool { false }
  var columns: [ReportColumn] { [.text("cause"), .integer("policies"), .decimal("share")] }

  mutating func add(_ policy: ScannedPolicy, today: CivilDate) {
    let cause =
      switch policy.fact.outcome {
      case .inForce: "in-force"
      case .ended(let cause?): "\(cause)"
      case .ended(nil): DimensionText.unknown
      }
    counts[policy.group, default: [:]][cause, default: 0] += 1
  }

  var groups: [(value: String, rows: [[ReportCell]])] {
    counts.sorted { $0.key < $1.key }.map { value, causes in
      let total = causes.values.reduce(0, +)
      let rows = causes.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { cause, count -> [ReportCell] in
        [.text(cause), .integer(count), .decimal(Share(part: count, whole: total).decimal())]
      }
      return (value, rows)
    }
  }
}
