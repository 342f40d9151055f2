import Glibc
import ServiceRuntime
import Storage
import StorageCopying
import StorageSQLite

/// Work on a service's stored data without its server: `mainstay-NAME storage check --config FILE`. `mainstay storage` runs it
/// for people; this prints lines of fields with tabs between them.
public struct StorageCommand: Sendable {
  /// Most findings of one check that are printed.
  static let maximumFindings = 100

  let name: String
  let keys: [ConfigurationKey]
  let migrations: [Migration]
  let aggregates: [AggregateRows]

  /// The command of a service with these tables.
  public init(_ name: String, keys: [ConfigurationKey], migrations: [Migration], aggregates: [AggregateRows]) {
    self.name = name
    self.keys = keys
    self.migrations = migrations
    self.aggregates = aggregates
  }

  /// Does the work and ends the process if the command line asks for it; else returns.
  public func runIfAsked() async {
    var arguments = Array(CommandLine.arguments.dropFirst())
    guard arguments.first == "storage" else { return }
    arguments.removeFirst()
    // Words of the command first, then settings.
    let words = Array(arguments.prefix { !$0.hasPrefix("--") || $0 == "--replace" })
    let settings = Array(arguments.dropFirst(words.count))
    let (name, keys) = (name, keys)
    await ServiceProcess.work(name, keys: keys, arguments: settings) { environment in
      switch (words.first, words.count) {
      case ("check", 1): return try await check(environment)
      case ("restore", 2): return try restore(environment, words[1], replacing: false)
      case ("restore", 3) where words[2] == "--replace":
        return try restore(environment, words[1], replacing: true)
      case ("copy", 3): return try await copy(environment, from: words[1], to: words[2])
      default:
        throw ConfigurationError("storage: there are check, restore FILE, restore FILE --replace and copy FROM TO")
      }
    }
  }

  /// Puts a backup in the place of the database.
  private func restore(_ environment: ServiceEnvironment, _ file: String, replacing: Bool) throws -> Int32 {
    let location = try environment.configuration.location(ServiceDatabase.key.name)
    guard location.scheme == "sqlite" else {
      throw ConfigurationError("\(ServiceDatabase.key.name): restore a server's database with that server's own tools")
    }
    try SQLiteRestore(backup: file, to: location.path).run(
      replacing: replacing, migrations: migrations, random: environment.random)
    emit([name, "restored", location.path])
    return 0
  }

  /// Copies all to an empty database, and compares.
  private func copy(_ environment: ServiceEnvironment, from: String, to: String) async throws -> Int32 {
    let source = try await side(environment, from, isThere: true)
    defer { source.database.close() }
    let target = try await side(environment, to, isThere: false)
    defer { target.database.close() }
    try await StorageCopy(from: source, to: target, migrations: migrations).run { table, rows in
      emit([name, "equal", table, "\(rows) rows"])
    }
    return 0
  }

  private func side(_ environment: ServiceEnvironment, _ uri: String, isThere: Bool) async throws -> StorageCopy.Side {
    let parts = uri.split(separator: ":", maxSplits: 1).map(String.init)
    guard parts.count == 2 else { throw ConfigurationError("copy: \(uri) is not sqlite:PATH or postgresql://…") }
    let location = (scheme: parts[0], path: parts[1])
    let database =
      isThere
      ? try await openForWork(environment, at: location, uri: uri)
      : try await ServiceDatabase.connect(environment, service: name, to: location, uri: uri)
    return StorageCopy.Side(database, location.scheme == "sqlite" ? .sqlite : .postgresql)
  }

  /// Every check with what it found. 1 if one failed.
  private func check(_ environment: ServiceEnvironment) async throws -> Int32 {
    let location = try environment.configuration.location(ServiceDatabase.key.name)
    let database = try await openForWork(
      environment, at: location, uri: environment.configuration.text(ServiceDatabase.key.name))
    defer { database.close() }
    var failed = 0
    func tell(_ check: String, rows: Int, _ findings: [Finding]) {
      if findings.isEmpty { emit([name, check, "ok", "", rows == 0 ? "" : "\(rows) rows"]) }
      for finding in findings.prefix(StorageCommand.maximumFindings) {
        emit([name, check, "failed", finding.place, finding.problem])
      }
      failed += findings.isEmpty ? 0 : 1
    }
    if let file = database as? SQLiteDatabase {
      let findings = await found("pages") { try await file.checkPages() }
      tell("pages", rows: 0, findings)
    }
    tell("schema", rows: 0, await found("schema") { try await checkSchema(database) })
    for invariant in Invariant.ofServices(aggregates) {
      var (place, rows, findings): ([SQLValue]?, Int, [Finding]) = (nil, 0, [])
      findings = await found(invariant.name) {
        var findings: [Finding] = []
        repeat {
          let slice = try await invariant.slice(of: database, after: place)
          findings += slice.findings
          rows += slice.rows
          place = findings.count < StorageCommand.maximumFindings ? slice.next : nil
        } while place != nil
        return findings
      }
      tell(invariant.name, rows: rows, findings)
    }
    guard failed > 0 else { return 0 }
    let word = failed == 1 ? "1 check" : "\(failed) checks"
    throw StorageCheckFailure(
      "\(word) failed on the database of \(name): do not write to it, keep a copy of it, and restore a backup (docs/runbooks/restore.md)"
    )
  }

  /// An error is a finding too: what cannot be read is not right.
  private func found(_ check: String, _ body: () async throws -> [Finding]) async -> [Finding] {
    do { return try await body() } catch { return [Finding(check, place: "database", problem: "\(error)")] }
  }

  private func checkSchema(_ database: any Database) async throws -> [Finding] {
    let rows = try await database.query(
      Statement("SELECT component, version, checksum FROM schema_migration ORDER BY component, version"), access: .scan)
    let applied = try rows.map {
      AppliedMigration(component: try $0.text(0), version: Int(try $0.integer(1)), checksum: try $0.text(2))
    }
    let dialect = database is SQLiteDatabase ? Migration.Dialect.sqlite : .postgresql
    let pending = try MigrationPlan.pending(
      known: StorageSchema.migrations + migrations, applied: applied, dialect: dialect)
    guard !pending.isEmpty else { return [] }
    return [
      Finding("schema", place: "database", problem: "it is of an earlier version; start the service once, then check")
    ]
  }

  /// Opens a database that must be there, without bringing its schema to the program's version.
  func openForWork(
    _ environment: ServiceEnvironment, at location: (scheme: String, path: String), uri: String
  ) async throws -> any Database {
    if location.scheme == "sqlite", access(location.path, F_OK) != 0 {
      throw StorageError.cannotOpen(path: location.path, reason: "there is no such file")
    }
    var limits = SQLiteLimits()
    limits.reservedBytes = 0
    limits.scanSteps = .max
    return try await ServiceDatabase.connect(environment, service: name, to: location, uri: uri, limits: limits)
  }

  /// One line on standard output.
  func emit(_ fields: [String]) {
    let clean = fields.map { $0.map { $0 == "\t" || $0 == "\n" ? " " : String($0) }.joined() }
    var text = clean.joined(separator: "\t") + "\n"
    text.withUTF8 { _ = write(STDOUT_FILENO, $0.baseAddress, $0.count) }
  }
}

/// A check that found something: one line that says what to do.
struct StorageCheckFailure: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}
