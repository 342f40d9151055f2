import ServiceRuntime
import Storage

/// What a service's program does on its database beside serving: work on files without a server.
public enum OfflineCommand {
  /// Runs the subcommand that the arguments name, and ends the process; returns if they name none.
  public static func runIfAsked(
    _ service: String, keys: [ConfigurationKey], migrations: [Migration], aggregates: [AggregateRows] = []
  ) async {
    await StorageCommand(service, keys: keys, migrations: migrations, aggregates: aggregates).runIfAsked()
    let arguments = Array(CommandLine.arguments.dropFirst())
    guard arguments.starts(with: ["audit", "verify"]) else { return }
    await ServiceProcess.work(
      service, keys: keys + AuditVerifyCommand.keys, arguments: Array(arguments.dropFirst(2)),
      help: AuditVerifyCommand.help
    ) { try await AuditVerifyCommand.run($0, service: service, migrations: migrations) }
  }
}
