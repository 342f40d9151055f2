import API
import Core
import ReportingDomain
import RPCCore
import Storage

/// Runs a report on the facts as they are.
struct ReportRun: Sendable {
  /// Attempts when a rebuild changes the facts over meanwhile.
  static let attempts = 3
  /// Most rows of a report: about what fits into one reply.
  static let maximumRows = 40_000

  let database: any Database
  let rules: ReportingRules

  /// The columns and rows.
  func table(_ request: RunReportRequest, today: CivilDate) async throws -> (columns: [ReportColumn], rows: [ReportRow])
  {
    let parameters = try ReportParameters(request)
    let progress = ProgressRepository(database: database)
    for _ in 0..<Self.attempts {
      var report = try ReportCatalogue.report(request, parameters, rules: rules)
      let generation = try await progress.progress(of: .customer).current.number
      let scan = PolicyScan(
        database: database, parameters: parameters, generation: generation, withPremiums: report.needsPremiums)
      try await scan.run { report.add($0, today: today) }
      guard try await progress.progress(of: .customer).current.number == generation else { continue }
      return try await table(report, by: parameters.dimension)
    }
    throw RPCError(.unavailable, "the facts are being rebuilt; try again")
  }

  private func table(
    _ report: any Report, by dimension: Dimension
  ) async throws -> (columns: [ReportColumn], rows: [ReportRow]) {
    let groups = report.groups
    guard groups.reduce(0, { $0 + $1.rows.count }) <= Self.maximumRows else {
      throw RPCError(.resourceExhausted, "the report has more than \(Self.maximumRows) rows: ask for less")
    }
    guard let column = DimensionText.column(dimension) else {
      return (report.columns, groups.flatMap { $0.rows }.map { ReportRow(cells: $0) })
    }
    let names = try await DimensionText.names(dimension, of: groups.map(\.value), database: database)
    let rows = groups.flatMap { group -> [ReportRow] in
      let head = [ReportCell.text(group.value)] + (names.map { [.text($0[group.value] ?? "")] } ?? [])
      return group.rows.map { ReportRow(cells: head + $0) }
    }
    return ([.text(column)] + (names == nil ? [] : [.text("name")]) + report.columns, rows)
  }
}
