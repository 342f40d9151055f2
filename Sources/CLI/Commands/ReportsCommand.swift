import API
import ArgumentParser
import Core
import RPCCore

/// mainstay reports.
struct ReportsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reports",
    abstract: "Runs reports, says how old their figures are, and rebuilds them.",
    discussion: """
      Examples:
        mainstay reports list
        mainstay reports run persistency --source uslapseagent --by premium-frequency --months 13,25,37
        mainstay reports run survival --event any --months 12,24,60 --format csv
        mainstay reports lag
      """,
    subcommands: [ListCommand.self, RunCommand.self, LagCommand.self, RebuildCommand.self])

  struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list", abstract: "Lists the reports.", discussion: "Example:\n  mainstay reports list")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
      try connection.list(output, columns: ["report", "summary", "by"], cells: ListCommand.cells) { session, _, _ in
        let reply = try await ReportingServiceClient(channel: session.channel).listReports(
          ListReportsRequest(), options: session.unaryOptions())
        return (reply.reports, "")
      }
    }

    private static let cells: @Sendable (ReportDescription) -> [String] = {
      [$0.name, $0.summary, $0.dimensions.map { ReportWords.word($0.name, "DIMENSION_") }.joined(separator: " ")]
    }
  }

  struct LagCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "lag", abstract: "Says how far the figures are behind each service.",
      discussion: "Example:\n  mainstay reports lag")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
      let columns = [
        "service", "connected", "caught_up", "lag_milliseconds", "applied_events", "unknown_events", "rebuilding",
      ]
      try connection.list(output, columns: columns, cells: LagCommand.cells) { session, _, _ in
        let reply = try await ReportingServiceClient(channel: session.channel).getLag(
          GetLagRequest(), options: session.unaryOptions())
        return (reply.lags, "")
      }
    }

    private static let cells: @Sendable (SourceLag) -> [String] = {
      [
        $0.service, "\($0.connected)", "\($0.caughtUp)", "\($0.lagMilliseconds)", "\($0.appliedEvents)",
        "\($0.unknownEvents)", "\($0.rebuilding)",
      ]
    }
  }

  struct RebuildCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "rebuild", abstract: "Replays all events and changes over to the figures that come of it.",
      discussion: """
        The figures of before stand until it is done, which is also when the command ends; --deadline limits only how long it
        waits.

        Example:
          mainstay reports rebuild
        """)

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @Option(help: "Only what comes from this service: customer, agent or partner.") var service: String?

    func run() throws {
      let request = RebuildReportsRequest(service: service ?? "")
      let reply = try connection.withSession { session in
        try await ReportingServiceClient(channel: session.channel).rebuildReports(
          request, options: session.streamOptions())
      }
      let terminal = Terminal.current()
      let listing = Listing(
        ["events"], format: output.resolved(terminal), terminal: terminal, output: StandardOutput())
      listing.addOnly(["\(reply.events)"], json: JSONText.object([("events", "\(reply.events)")]))
    }
  }
}

/// Enum values as the command line writes them: "premium-frequency" for DIMENSION_PREMIUM_FREQUENCY.
enum ReportWords {
  static func word(_ name: String, _ prefix: String) -> String {
    name.dropFirst(prefix.count).lowercased().map { $0 == "_" ? "-" : String($0) }.joined()
  }

  /// The value that a word means among those; throws a usage error that lists them.
  static func value<Value>(
    _ word: String?, _ option: String, _ all: [Value], _ name: (Value) -> String, _ prefix: String
  ) throws -> Value? {
    guard let word else { return nil }
    let known = all.dropFirst().map { ($0, ReportWords.word(name($0), prefix)) }
    if let found = known.first(where: { $0.1 == word }) { return found.0 }
    throw CommandFailure.usage("--\(option): \(word) is none of \(known.map(\.1).joined(separator: ", "))")
  }
}
