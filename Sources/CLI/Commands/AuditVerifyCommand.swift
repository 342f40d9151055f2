import API
import ArgumentParser
import AuditProof
import Core
import RPCCore

/// mainstay audit verify.
struct AuditVerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Verifies audit logs against their keys, their witnesses and their exported checkpoints.",
    discussion: """
      Each log's entries are read and hashed here; the root must be the signed one. Each checkpoint that its witness or its checkpoint
      file has must be a beginning of today's log. With --proof one entry is verified, without any service. A database without its
      service is verified by "mainstay-customer audit verify --config FILE", and so on for each service.

      Exit code 0: all holds. 1: something does not, or a service does not answer. 2: wrong usage.

      Examples:
        mainstay audit verify all
        mainstay audit verify customer --checkpoints /mnt/safe/customer.checkpoints
        mainstay audit verify customer --checkpoints-only
        mainstay audit verify --proof proof.json --keys audit-keys.txt
      """)

  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var keys: LogKeyOptions
  @Argument(help: "The service whose log is verified, or all.") var service: String?
  @Option(help: "Exported checkpoints; those of the state folder without it.") var checkpoints: String?
  @Option(help: "An entry's proof, from \"mainstay audit proof\".") var proof: String?
  @Flag(help: "Do not read all entries: only checkpoints are compared.") var checkpointsOnly = false

  func validate() throws {
    guard (service == nil) != (proof == nil) else {
      throw ValidationError("Name a service, or all, or give --proof FILE.")
    }
    if checkpoints != nil, service == "all" { throw ValidationError("--checkpoints belongs to one service.") }
  }

  func run() throws {
    let known = try keys.keys(connection.home.folder)
    if let proof { return try verify(proof, known) }
    let name = service ?? ""
    let services = name == "all" ? ServiceDefinition.audited : [try ServiceDefinition.withAuditLog(name)]
    let exported = try services.map { service in (service, try notes(of: service)) }
    let (checkpointsOnly, terminal) = (checkpointsOnly, Terminal.current())
    let format = output.resolved(terminal)
    let holds = try connection.withSession { session in
      let listing = Listing(
        ["service", "check", "result", "detail"], format: format, terminal: terminal, output: StandardOutput())
      var holds = true
      for (service, notes) in exported {
        let verification = LogComparison(service: service, session: session, keys: known)
        for finding in await verification.run(exported: notes, readsEntries: !checkpointsOnly) {
          listing.add([service.name, finding.check, finding.holds ? "ok" : "FAILED", finding.detail])
          holds = holds && finding.holds
        }
      }
      listing.finish()
      return holds
    }
    if !holds { throw ExitCode(1) }
  }

  private func notes(of service: ServiceDefinition) throws -> [String] {
    let path = checkpoints ?? connection.home.folder.checkpointFile(of: service)
    if checkpoints == nil, !Files.exists(path) { return [] }
    do { return CheckpointNotes.split(try TextFile.read(path, maximumBytes: 1 << 30)) } catch {
      throw CommandFailure.usage(error.description)
    }
  }

  private func verify(_ path: String, _ keys: [LogKey]) throws {
    let proof = try EntryProof(json: try Files.read(path), path: path, keys: keys)
    let checkpoint = try proof.verified()
    let leaf = try? proof.leaf()
    try output.show(
      AuditEntry(position: proof.position),
      columns: ["position", "log", "size", "signed", "entry_id", "actor", "aggregate_id"]
    ) { _ in
      [
        "\(proof.position)", checkpoint.origin, "\(checkpoint.size)", checkpoint.time.iso8601, leaf?.entryID ?? "",
        leaf?.actor ?? "", leaf?.aggregateID ?? "",
      ]
    }
  }
}
