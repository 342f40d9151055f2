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

  /// The columns and rows, and the day that they are of.
  func run(_ request: RunReportRequest, today: CivilDate) async throws -> RunReportResponse {
    let parameters = try ReportParameters(request, today: today)
    for _ in 0..<Self.attempts {
      let generations = try await generations(parameters.dimension)
      let customers =
        request.name == "kpi" && parameters.countsCustomers
        ? try await customers(of: parameters.source, generation: generations.customer) : nil
      var report = try ReportCatalogue.report(request, parameters, rules: rules, customers: customers)
      let scan = PolicyScan(
        database: database, parameters: parameters, generation: generations.customer,
        lookupGeneration: generations.lookup, withPremiums: report.needsPremiums)
      try await scan.run { report.add($0, today: parameters.asOf) }
      guard try await self.generations(parameters.dimension) == generations else { continue }
      let table = try await table(report, by: parameters.dimension)
      return RunReportResponse(columns: table.columns, rows: table.rows, asOfDate: CalendarDate(parameters.asOf))
    }
    throw RPCError(.unavailable, "the facts are being rebuilt; try again")
  }

  /// Which generations the report reads: of the customer service's facts, and of those that its dimension is looked up in.
  private func generations(_ dimension: Dimension) async throws -> (customer: Int64, lookup: Int64) {
    let progress = ProgressRepository(database: database)
    let customer = try await progress.progress(of: .customer).current.number
    guard let lookup = DimensionText.lookup(dimension) else { return (customer, 0) }
    return (customer, try await progress.progress(of: lookup.service).current.number)
  }

  private func customers(of source: String, generation: Int64) async throws -> Int64 {
    let condition = source.isEmpty ? "" : " AND source = ?"
    return try await database.row(
      Statement(
        "SELECT count(DISTINCT customer_id) FROM party WHERE generation = ?\(condition)",
        [.integer(generation)] + (source.isEmpty ? [] : [.text(source)])), access: .scan
    )?.integer(0) ?? 0
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
