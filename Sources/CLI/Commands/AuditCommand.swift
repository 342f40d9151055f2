import API
import ArgumentParser
import AuditProof
import Core
import RPCCore

/// mainstay audit.
struct AuditCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "audit",
    abstract: "Reads the audit logs of the services, and verifies them without believing the services.",
    discussion: """
      Examples:
        mainstay audit verify all
        mainstay audit list --service customer --actor alice
        mainstay audit proof customer 4711 > proof.json
        mainstay audit verify --proof proof.json
      """,
    subcommands: [
      AuditVerifyCommand.self, ListCommand.self, ShowCommand.self, CheckpointCommand.self, ProofCommand.self,
    ])

  private static let columns = [
    "position", "recorded_time", "kind", "actor", "type", "aggregate_id", "aggregate_version", "method", "detail",
  ]

  private static let cells: @Sendable (AuditEntry) -> [String] = { entry in
    let time = entry.recordedTime.map {
      Timestamp(microsecondsSinceEpoch: $0.seconds &* 1_000_000 &+ Int64($0.nanos) / 1_000).iso8601
    }
    return [
      "\(entry.position)", time ?? "",
      entry.body.isEmpty ? "DROPPED" : String(entry.kind.name.dropFirst("AUDIT_KIND_".count)),
      entry.actor, entry.type, entry.aggregateID, "\(entry.aggregateVersion)", entry.method, entry.detail,
    ]
  }

  struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list", abstract: "Lists entries of a service's audit log.",
      discussion: """
        Examples:
          mainstay audit list --service customer --aggregate par_01J9ZQ6V6T3M3B5X0Y7N2K8R4D
          mainstay audit list --service agent --actor alice --from 2026-03-01 --until 2026-03-31 --format csv
        """)

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @Option(help: "Whose log.") var service = ServiceDefinition.customer.name
    @Option(help: "Only entries about this, for example a par_… id.") var aggregate: String?
    @Option(help: "Only entries by this actor.") var actor: String?
    @Option(help: "Only entries of this day and later, for example 2026-03-01.") var from: AuditDay?
    @Option(help: "Only entries of this day and earlier.") var until: AuditDay?
    @Option(help: "Only entries from this position on.") var position: Int64 = 0
    @Option(help: "How many at most; 0 lists all.") var limit = 0

    func run() throws {
      let service = try ServiceDefinition.withAuditLog(service)
      let wanted = ListAuditEntriesRequest(
        aggregateID: aggregate ?? "", actor: actor ?? "", startTime: from?.beginning, endTime: until?.end,
        firstPosition: position)
      try connection.list(output, columns: AuditCommand.columns, limit: limit, cells: AuditCommand.cells) {
        session, pageSize, token in
        var request = wanted
        (request.pageSize, request.pageToken) = (pageSize, token)
        let reply = try await AuditServiceClient(channel: session.channel).listAuditEntries(
          request, options: session.unaryOptions(service.asTarget))
        return (reply.entries, reply.nextPageToken)
      }
    }
  }

  struct ShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "show", abstract: "Shows an entry, after its proof was verified here.",
      discussion: "Example:\n  mainstay audit show customer 4711 --format json")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var keys: LogKeyOptions
    @Argument(help: "Whose log.") var service: String
    @Argument(help: "The entry's position.") var position: Int64

    func run() throws {
      let known = try keys.keys(connection.home.folder)
      let reply = try connection.inclusionProof(of: position, in: try ServiceDefinition.withAuditLog(service))
      let checkpoint = try EntryProof(reply, keys: known).verified()
      StandardError.write("mainstay: in the log of \(checkpoint.size) entries signed at \(checkpoint.time.iso8601)\n")
      try output.show(reply.entry ?? AuditEntry(), columns: AuditCommand.columns, cells: AuditCommand.cells)
    }
  }

  struct CheckpointCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "checkpoint",
      abstract: "Prints the newest signed checkpoint of a service's log, to be kept elsewhere.",
      discussion: "Example:\n  mainstay audit checkpoint customer >> /mnt/safe/customer.checkpoints")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var keys: LogKeyOptions
    @Argument(help: "Whose log.") var service: String

    func run() throws {
      let service = try ServiceDefinition.withAuditLog(service)
      let known = try keys.keys(connection.home.folder)
      let reply = try connection.withSession { session in
        try await AuditServiceClient(channel: session.channel).getCheckpoint(
          GetCheckpointRequest(), options: session.unaryOptions(service.asTarget))
      }
      do { _ = try Checkpoint(note: reply.note, keys: known) } catch {
        throw CommandFailure("the checkpoint of \(service.name) does not hold: \(error)")
      }
      let output = StandardOutput()
      output.write(CheckpointNotes.entry(reply.note))
      output.flush()
    }
  }

  struct ProofCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "proof", abstract: "Prints an entry with its proof as JSON, for \"mainstay audit verify --proof\".",
      discussion: "Example:\n  mainstay audit proof customer 4711 > proof.json")

    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "Whose log.") var service: String
    @Argument(help: "The entry's position.") var position: Int64

    func run() throws {
      let reply = try connection.inclusionProof(of: position, in: try ServiceDefinition.withAuditLog(service))
      printLine(try MessageJSON.text(reply, pretty: true))
    }
  }
}

/// The public keys that checkpoints must be signed with.
struct LogKeyOptions: ParsableArguments {
  @Option(help: "Public keys of the logs, one a line; those of the state folder without it.") var keys: String?

  /// The keys.
  func keys(_ folder: StateFolder) throws -> [LogKey] {
    let path = keys ?? folder.auditKeys
    guard let known = LogKey.list(try Files.text(path)) else {
      throw CommandFailure.usage("\(path) holds a line that is no key of a log; each is NAME+ID+KEY")
    }
    return known
  }
}

/// A day as people write it, as times of an audit log.
struct AuditDay: ExpressibleByArgument, Sendable {
  private let day: CivilDate

  init?(argument: String) {
    guard let day = CivilDate(argument) else { return nil }
    self.day = day
  }

  /// Its first moment in Asia/Shanghai (UTC+8).
  var beginning: GoogleTimestamp { GoogleTimestamp(seconds: Int64(day.daysSinceEpoch) * 86_400 - 8 * 3_600) }
  /// The next day's.
  var end: GoogleTimestamp { GoogleTimestamp(seconds: Int64(day.daysSinceEpoch + 1) * 86_400 - 8 * 3_600) }
}

extension ServiceDefinition {
  /// The service of this name, if it has an audit log.
  static func withAuditLog(_ name: String) throws -> ServiceDefinition {
    guard let service = audited.first(where: { $0.name == name }) else {
      throw CommandFailure.usage("\(name) is none of \(audited.map(\.name).sorted().joined(separator: ", "))")
    }
    return service
  }

  /// What makes the gateway pass a call on to this service that every service has.
  var asTarget: Metadata {
    var metadata = Metadata()
    metadata.add("mainstay-service", name)
    return metadata
  }
}

extension ConnectionOptions {
  /// An entry with its proof in the newest checkpoint's tree.
  func inclusionProof(of position: Int64, in service: ServiceDefinition) throws -> GetInclusionProofResponse {
    try withSession { session in
      try await AuditServiceClient(channel: session.channel).getInclusionProof(
        GetInclusionProofRequest(position: position), options: session.unaryOptions(service.asTarget))
    }
  }
}
