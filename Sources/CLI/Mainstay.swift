import ArgumentParser
import Glibc

/// The command line: starts Mainstay on this machine and talks to it. Exit codes: 0 done, 1 failed, 2 bad usage.
@main
struct Mainstay: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mainstay",
    abstract: "Runs Mainstay on this machine and talks to it.",
    discussion: """
      Examples:
        mainstay up
        mainstay demo load
        mainstay customers import febrl1.csv --source febrl1 --mapping services/customer/mappings/febrl.yaml
        mainstay customers search smith
        mainstay call mainstay.customer.v1.CustomerService/ListCustomers '{"pageSize": 3}'
        mainstay reports run persistency --by premium-frequency --months 13,25,37
        mainstay events tail --until-caught-up
        mainstay down

      Output is a table at a terminal and CSV elsewhere; --format says otherwise. State is kept in .mainstay in the current
      folder; MAINSTAY_HOME or --home names another. Completions: mainstay --generate-completion-script bash|zsh|fish.
      """,
    version: "0.1.0",
    subcommands: [
      UpCommand.self, DownCommand.self, StatusCommand.self, CertsCommand.self, CallCommand.self, CustomersCommand.self,
      PoliciesCommand.self, AgentsCommand.self, PartnersCommand.self, ProductsCommand.self, ReportsCommand.self,
      EventsCommand.self, JobsCommand.self, DemoCommand.self, ChannelsCommand.self, StorageCommand.self,
      AuditCommand.self,
    ])

  static func main() {
    // A cut connection or pipe is an error of a write, not of the process.
    signal(SIGPIPE, SIG_IGN)
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch {
      end(error)
    }
  }

  /// Says what went wrong in one line, or prints the help that was asked for, and ends the process.
  private static func end(_ error: any Error) -> Never {
    if let code = error as? ExitCode { Glibc.exit(code.rawValue) }
    if let failure = CommandFailure(explaining: error) {
      StandardError.write(failure.message + "\n")
      Glibc.exit(failure.code)
    }
    guard exitCode(for: error) != .success else {
      let output = StandardOutput()
      output.write(fullMessage(for: error) + "\n")
      output.flush()
      Glibc.exit(0)
    }
    let hint = fullMessage(for: error).split(separator: "\n").last { $0.contains("--help") } ?? "See 'mainstay --help'."
    StandardError.write("mainstay: \(Mainstay.sentence(message(for: error))) \(hint.drop { $0 == " " })\n")
    Glibc.exit(2)
  }

  private static func sentence(_ text: String) -> String {
    let line = text.split(separator: "\n").joined(separator: " ")
    return line.last.map { ".!?".contains($0) } == true ? line : line + "."
  }
}
