import Audit
import AuditProof
import Glibc
import ServiceRuntime
import Storage

/// `mainstay-NAME audit verify`: recomputes the audit log of a database that no service has open.
enum AuditVerifyCommand {
  /// Largest file of checkpoints that is read, in bytes.
  static let maximumCheckpointBytes = 1 << 30

  static let keys = [
    ConfigurationKey("checkpoints", "file of exported checkpoints; audit.checkpoint_file without it", default: ""),
    ConfigurationKey("keys", "public keys of logs, one a line; audit.trusted_keys without it", default: ""),
    ConfigurationKey("format", "text or json", default: "text"),
  ]

  static let help = """
    mainstay-NAME audit verify: recomputes the whole audit log of a database that no service has open, and compares it with its
    events, with the hashes that proofs are made from and with signed checkpoints.

    usage: mainstay-NAME audit verify --config FILE | --database PLACE [--checkpoints FILE] [--keys FILE] [--format json]

      --config FILE        the service's configuration, which names database, checkpoint file and keys
      --database PLACE     the database, as in the configuration
      --checkpoints FILE   checkpoints from outside the database; without any only what the database itself holds is compared
      --keys FILE          public keys of logs, one a line
      --format text|json

    Exit code 0: all is as it was logged. 1: it is not, or cannot be read; the first bad position is named. 2: wrong usage.
    """

  private enum Format: String, CaseIterable { case text, json }

  /// Does it, and gives the exit code.
  static func run(_ environment: ServiceEnvironment, service: String, migrations: [Migration]) async throws -> Int32 {
    let configuration = environment.configuration
    guard !configuration.text(ServiceDatabase.key.name).isEmpty else {
      throw ConfigurationError("--config FILE or --database PLACE is needed; --help says more")
    }
    let format = try configuration.choice("format", Format.self)
    let notes = try notes(configuration)
    let keys = try logKeys(configuration)
    let location = try configuration.location(ServiceDatabase.key.name)
    if location.scheme == "sqlite", access(location.path, R_OK) != 0 {
      throw ConfigurationError("cannot read the database \(location.path): \(String(cString: strerror(errno)))")
    }
    let database = try await ServiceDatabase.open(environment, service: service, migrations: migrations)
    defer { database.close() }
    var verification = LogVerification(database: database)
    let isTerminal = isatty(STDERR_FILENO) == 1
    let report = try await verification.run(notes: notes, keys: keys) { done, total in
      if isTerminal { write("\r\(done) of \(total) leaves", to: STDERR_FILENO) }
    }
    if isTerminal { write("\r\u{1B}[K", to: STDERR_FILENO) }
    write((format == .json ? report.json : report.text) + "\n", to: STDOUT_FILENO)
    return report.isSound ? 0 : 1
  }

  private static func notes(_ configuration: Configuration) throws -> [String] {
    let named = configuration.path("checkpoints")
    let path = named.isEmpty ? configuration.path("audit.checkpoint_file") : named
    guard !path.isEmpty else { return [] }
    do { return CheckpointNotes.split(try TextFile.read(path, maximumBytes: maximumCheckpointBytes)) } catch {
      throw ConfigurationError(error.description)
    }
  }

  private static func logKeys(_ configuration: Configuration) throws -> [LogKey] {
    let named = configuration.path("keys")
    let path = named.isEmpty ? configuration.path("audit.trusted_keys") : named
    if path.isEmpty { return [] }
    do { return try LogKey.read(path: path) } catch { throw ConfigurationError("\(error)") }
  }

  private static func write(_ text: String, to descriptor: Int32) {
    var text = text
    text.withUTF8 { _ = Glibc.write(descriptor, $0.baseAddress, $0.count) }
  }
}
