import ArgumentParser
import Glibc

/// mainstay storage: work on stored data, done by the programs of the services themselves.
struct StorageCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "storage",
    abstract: "Backs up, restores, checks and copies what services have stored.",
    discussion: """
      Examples:
        mainstay storage check
        mainstay storage check customer
        mainstay storage backup customer /backup/customer.db
        mainstay storage restore customer /backup/customer.db --replace
      """,
    subcommands: [CheckCommand.self, BackupCommand.self, RestoreCommand.self, CopyCommand.self])

  struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "check", abstract: "Reads all that a stopped service has stored and looks for contradictions.",
      discussion: """
        Pages of the file, foreign keys, events against rows, positions without a gap, kept answers. Exit code 1 if something is
        wrong; the line at the end says what to do. A running service checks itself, but not its pages.

        Examples:
          mainstay storage check
          mainstay storage check customer --format json
          mainstay storage check customer --file /backup/customer.db
        """)

    @OptionGroup var home: HomeOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "\(StoredService.names), or all.") var service = "all"
    @Option(help: "A file in place of the service's database, for example a backup.") var file: String?

    func run() throws {
      let services = try StoredService.named(service)
      if file != nil, services.count > 1 { throw ValidationError("--file needs one service.") }
      let terminal = Terminal.current()
      let listing = Listing(
        ["service", "check", "result", "place", "detail"], format: output.resolved(terminal), terminal: terminal,
        output: StandardOutput())
      var worst: Int32 = 0
      for service in services {
        let overriding = file.map { ["--database", "sqlite:\(FilePaths.absolute($0))"] } ?? []
        let code = try StoredService.run(["check"], of: service, in: home.folder, overriding) { fields in
          listing.add((0..<5).map { $0 < fields.count ? fields[$0] : "" })
        }
        worst = max(worst, code)
      }
      listing.finish()
      if worst != 0 { throw ExitCode(worst) }
    }
  }
}

/// The services that store something, and their programs.
enum StoredService {
  static let all = ServiceDefinition.all.filter { $0.name != ServiceDefinition.gateway.name }

  /// For --help.
  static var names: String { all.map(\.name).joined(separator: ", ") }

  /// One by its name, or all.
  static func named(_ name: String) throws -> [ServiceDefinition] {
    name == "all" ? all : [try one(name)]
  }

  /// One by its name.
  static func one(_ name: String) throws -> ServiceDefinition {
    guard let service = all.first(where: { $0.name == name }) else {
      throw ValidationError("There is no service \"\(name)\"; there are \(names).")
    }
    return service
  }

  /// Runs `mainstay-NAME storage …` and gives each line of its output in fields; returns its exit code. What it says on standard
  /// error goes there.
  static func run(
    _ words: [String], of service: ServiceDefinition, in folder: StateFolder, _ settings: [String] = [],
    _ onLine: ([String]) -> Void
  ) throws -> Int32 {
    let configuration = folder.configuration(of: service)
    guard Files.exists(configuration) else {
      throw CommandFailure("there is no \(configuration): \"mainstay up\" makes it, --home names another state folder")
    }
    let program = "\(FilePaths.folder(of: FilePaths.ownProgram()))/\(service.program)"
    return try ProgramOutput.lines(of: program, ["storage"] + words + ["--config", configuration] + settings) { line in
      onLine(line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init))
    }
  }
}
