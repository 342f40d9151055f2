import API
import ArgumentParser
import Demo
import RPCCore

/// mainstay demo.
struct DemoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo",
    abstract: "Fills a running system with invented data.",
    discussion: "Example:\n  mainstay demo load",
    subcommands: [LoadCommand.self])

  struct LoadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "load",
      abstract: "Loads an insurer that does not exist: customers, policies, premiums, agents, partners.",
      discussion: """
        34 branches, 500 agents, 213 partners, 60 products; 13,000 parties of 10,000 people and companies, 30,000 policies and
        their premiums from July 2022 to December 2025. The data are the same every time. What is there already is left as it
        is: a load that was broken off is simply run again, and one that is done ends at once.

        Examples:
          mainstay demo load
          mainstay demo load --scale 5
        """)

    /// How long the end of the command waits for the reports, in seconds.
    private static let reportWaitSeconds = 60

    @OptionGroup var connection: ConnectionOptions
    @Option(help: "Customers, policies and premiums in percent of the full size, 1 to 100.") var scale = 100
    @Flag(help: "Send everything once more although it is there, and say what changed.") var again = false
    @Flag(help: "Leave a system alone that has customers of its own; what make up does.") var unlessUsed = false
    @Option(help: "table, json or csv; a table without it.") var format = OutputFormat.table

    func validate() throws {
      guard DemoData.sizes.contains(scale) else { throw ValidationError("--scale must be 1 to 100.") }
    }

    func run() throws {
      let edition = DemoEdition(percent: scale)
      let (again, unlessUsed, terminal) = (again, unlessUsed, Terminal.current())
      let outcome = try connection.withSession { session -> Outcome in
        // Repeated, since services that were just started may need a moment.
        if try await session.persistently({ try await DemoLoad.isLoaded(session, edition) }), !again {
          return .wasThere
        }
        if unlessUsed, try await DemoLoad.isUsed(session) { return .isUsed }
        let steps = try await DemoLoad(session: session, edition: edition, showsProgress: terminal.showsProgress).run()
        try await LoadCommand.waitForReports(session)
        return .loaded(steps)
      }
      if case .loaded(let steps) = outcome { print(steps, terminal) }
      if format == .table { printHints(outcome, try connection.address()) }
    }

    /// What a load came to.
    private enum Outcome: Sendable {
      case loaded([DemoStep])
      case wasThere
      /// There are customers of others.
      case isUsed
    }

    private func printHints(_ outcome: Outcome, _ gateway: ServerAddress) {
      let program = CommandLine.arguments.first ?? "mainstay"
      let (text, commands): (String, [String]) =
        switch outcome {
        case .isUsed:
          (
            "There are customers already, so no demo data was loaded (\(program) demo load does it nevertheless)",
            ["customers list --limit 5", "reports run kpi"]
          )
        case .loaded, .wasThere:
          (
            "Demo data is loaded",
            [
              "customers search 欧阳", "reports run persistency --form premium --by channel",
              "reports run kpi --by partner",
            ]
          )
        }
      printLine("\(text): gateway at \(gateway)")
      for (index, command) in commands.enumerated() {
        printLine("\(index == 0 ? "Try:" : "    ") \(program) \(command)")
      }
    }

    /// Until the reports have all of it, so that the first one that is looked at is right.
    private static func waitForReports(_ session: Session) async throws {
      let client = ReportingServiceClient(channel: session.channel)
      for _ in 0..<reportWaitSeconds * 4 {
        let lags = try await client.getLag(GetLagRequest(), options: session.unaryOptions()).lags
        if lags.allSatisfy(\.caughtUp) { return }
        try await session.loop.sleep(for: .milliseconds(250))
      }
    }

    private func print(_ steps: [DemoStep], _ terminal: Terminal) {
      let listing = Listing(
        ["records", "created", "updated", "unchanged", "seconds"], format: format, terminal: terminal,
        output: StandardOutput())
      for step in steps {
        listing.add([
          step.records, "\(step.created)", "\(step.updated)", "\(step.unchanged)", ImportOptions.fixed(step.seconds),
        ])
      }
      listing.finish()
    }
  }
}
