import API
import ArgumentParser
import Core
import RPCCore

extension ReportsCommand {
  /// mainstay reports run.
  struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "run", abstract: "Runs a report.",
      discussion: """
        persistency measures by survival, or with --form premium by the premium received until the end of grace.

        Examples:
          mainstay reports run kpi --by channel
          mainstay reports run persistency --form premium --by branch --months 13,25
          mainstay reports run survival --event any --by premium-frequency --months 12,24,60
          mainstay reports run end-causes --from 2024-01 --to 2024-12
          mainstay reports run persistency --by product-line --as-of 2025-12-31
        """)

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "The report: kpi, persistency, survival or end-causes.") var name: String
    @Option(help: "Only policies of this source.") var source: String?
    @Option(
      help: """
        Divide by channel, product, product-line, product-state, partner, branch, team, agent, premium-frequency or \
        issue-month.
        """)
    var by: String?
    @Option(help: "Months since issue, for example 13,25,37.") var months: String?
    @Option(help: "Of persistency: survival or premium.") var form: String?
    @Option(help: "Of persistency: count or premium.") var basis: String?
    @Option(help: "Of survival: surrender or any.") var event: String?
    @Option(help: "Only policies issued in this month or later, for example 2024-01.") var from: String?
    @Option(help: "Only policies issued in this month or earlier.") var to: String?

    @Option(help: "As things stood at the end of this day, 2025-12-31; today without it.") var asOf: Day?

    func run() throws {
      let request = try request()
      let reply = try connection.withSession { session in
        try await ReportingServiceClient(channel: session.channel).runReport(request, options: session.unaryOptions())
      }
      let terminal = Terminal.current()
      let listing = Listing(
        reply.columns.map(\.name), format: output.resolved(terminal), terminal: terminal, output: StandardOutput())
      for row in reply.rows {
        listing.add(row.cells.map(Self.text)) {
          JSONText.object(zip(reply.columns, row.cells).map { ($0.name, Self.json($1)) })
        }
      }
      listing.finish()
      for lag in reply.lags where !lag.caughtUp {
        StandardError.write(
          "mainstay: the figures do not have all of \(lag.service) yet (lag \(lag.lagMilliseconds) ms)\n")
      }
    }

    private func request() throws -> RunReportRequest {
      RunReportRequest(
        name: name, source: source ?? "",
        by: by == "none"
          ? .unspecified : try ReportWords.value(by, "by", Dimension.all, \.name, "DIMENSION_") ?? .unspecified,
        months: try monthNumbers(),
        form: try ReportWords.value(form, "form", PersistencyForm.all, \.name, "PERSISTENCY_FORM_") ?? .unspecified,
        basis: try ReportWords.value(basis, "basis", ReportBasis.all, \.name, "REPORT_BASIS_") ?? .unspecified,
        event: event == "any"
          ? .anyEnd
          : try ReportWords.value(event, "event", SurvivalEvent.all, \.name, "SURVIVAL_EVENT_") ?? .unspecified,
        fromIssueMonth: try month(from, "from"), toIssueMonth: try month(to, "to"), asOfDate: asOf?.message)
    }

    private func monthNumbers() throws -> [Int32] {
      guard let months else { return [] }
      return try months.split(separator: ",", omittingEmptySubsequences: false).map { text in
        guard let number = Int32(text) else {
          throw CommandFailure.usage("--months: \(text) is no number; write for example 13,25,37")
        }
        return number
      }
    }

    private func month(_ text: String?, _ option: String) throws -> CalendarDate? {
      guard let text else { return nil }
      guard let day = CivilDate("\(text)-01") else {
        throw CommandFailure.usage("--\(option): \(text) is no month; write for example 2024-01")
      }
      return CalendarDate(year: Int32(day.year), month: Int32(day.month))
    }

    private static func text(_ cell: ReportCell) -> String {
      switch cell.value {
      case .text(let text)?, .decimal(let text)?: text
      case .integer(let number)?: "\(number)"
      case nil: ""
      }
    }

    private static func json(_ cell: ReportCell) -> String {
      switch cell.value {
      case .text(let text)?: jsonString(text)
      case .decimal(let text)?: text
      case .integer(let number)?: "\(number)"
      case nil: "null"
      }
    }
  }
}
