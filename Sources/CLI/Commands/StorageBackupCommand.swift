import API
import ArgumentParser
import RPCCore

extension StorageCommand {
  /// mainstay storage backup.
  struct BackupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "backup", abstract: "Copies the database of a running service into a new file.",
      discussion: """
        The service makes the file, on its own machine, closed to others, goes on meanwhile, and reads the copy back. Only an
        administrator may ask for it.

        Examples:
          mainstay storage backup customer /backup/customer-2026-11-21.db
        """)

    /// How long a backup may take, when --deadline does not say.
    static let patience = Duration.seconds(4 * 3_600)

    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "\(StoredService.names).") var service: String
    @Argument(help: "The file to make.") var file: String

    func run() throws {
      let service = try StoredService.one(service).name
      let path = FilePaths.absolute(file)
      let patience = connection.deadline?.duration ?? Self.patience
      let bytes = try connection.withSession { session in
        var metadata = Metadata()
        metadata.add("mainstay-service", service)
        let options = CallOptions(
          deadline: Deadline(after: patience, clock: session.loop.clock), metadata: session.authorized(metadata))
        let client = MaintenanceServiceClient(channel: session.channel)
        return try await client.backUpDatabase(BackUpDatabaseRequest(path: path), options: options).byteCount
      }
      printLine("\(path): \(bytes) bytes")
    }
  }

  /// mainstay storage restore.
  struct RestoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "restore", abstract: "Puts a backup in the place of a stopped service's database.",
      discussion: """
        The backup is read whole first. The events get a fresh epoch: services and others that follow them begin anew. What is
        replaced is kept beside the database, with .replaced at the end of its name.

        Examples:
          mainstay down
          mainstay storage restore customer /backup/customer-2026-11-21.db --replace
          mainstay up
        """)

    @OptionGroup var home: HomeOptions
    @Argument(help: "\(StoredService.names).") var service: String
    @Argument(help: "The backup.") var file: String
    @Flag(help: "Replace a database that holds something.") var replace = false

    func run() throws {
      let words = ["restore", FilePaths.absolute(file)] + (replace ? ["--replace"] : [])
      let code = try StoredService.run(words, of: try StoredService.one(service), in: home.folder) { fields in
        printLine(fields.joined(separator: " "))
      }
      if code != 0 { throw ExitCode(code) }
    }
  }

  /// mainstay storage copy.
  struct CopyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "copy", abstract: "Copies a stopped service's data into an empty database, and compares row by row.",
      discussion: """
        Between a file and PostgreSQL, both ways. A copy that was broken off is begun anew by the same command; until it is
        whole no service starts on it. Afterwards name the new place in the service's configuration.

        Examples:
          mainstay storage copy customer sqlite:.mainstay/data/customer.db postgresql://mainstay@db:5432/mainstay
          mainstay storage copy customer postgresql://mainstay@db:5432/mainstay sqlite:customer.db
        """)

    @OptionGroup var home: HomeOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "\(StoredService.names).") var service: String
    @Argument(help: "sqlite:PATH or postgresql://USER@HOST:PORT/NAME.") var source: String
    @Argument(help: "The same, and empty.") var target: String

    func run() throws {
      let terminal = Terminal.current()
      let listing = Listing(
        ["service", "result", "table", "rows"], format: output.resolved(terminal), terminal: terminal,
        output: StandardOutput())
      let code = try StoredService.run(
        ["copy", Self.absolute(source), Self.absolute(target)], of: try StoredService.one(service), in: home.folder
      ) { fields in
        listing.add((0..<4).map { $0 < fields.count ? fields[$0] : "" })
      }
      listing.finish()
      if code != 0 { throw ExitCode(code) }
    }

    private static func absolute(_ place: String) -> String {
      place.hasPrefix("sqlite:") ? "sqlite:\(FilePaths.absolute(String(place.dropFirst(7))))" : place
    }
  }
}
