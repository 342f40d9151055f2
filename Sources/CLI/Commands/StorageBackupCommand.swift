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
        let options = CallOptions(deadline: Deadline(after: patience, clock: session.loop.clock), metadata: metadata)
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
}
