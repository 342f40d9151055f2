import Foundation
import StoragePostgres
import Synchronization

/// A PostgreSQL server of the system's package in a folder of its own, reached by a Unix socket, with data checksums. It ends with
/// the process of the tests.
public final class PostgresServer: Sendable {
  /// What the server is made with.
  public struct Options: Sendable {
    /// Lines of postgresql.conf.
    public var settings: [String] = []
    /// The encoding of its databases.
    public var encoding = "UTF8"
    /// How users show who they are: initdb's --auth.
    public var authentication = "trust"
    /// A port of 127.0.0.1 beside the socket.
    public var port: Int?

    /// As the driver wants it.
    public init() {}
  }

  private static let user = "mainstay"
  private static let sharedTask = Task { try await PostgresServer() }

  /// One for all tests that do not harm it.
  public static var shared: PostgresServer { get async throws { try await sharedTask.value } }

  /// The folder of its socket, its data and its log.
  public let folder: String
  private let options: Options
  private let lastNumber = Atomic<Int>(0)

  /// Makes a server and starts it.
  public init(_ options: Options = Options()) async throws {
    self.options = options
    folder = NSTemporaryDirectory() + "mainstay-pg-" + UUID().uuidString.prefix(13).lowercased()
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    if getuid() == 0 { _ = try await Self.run("/bin/chown", ["postgres", folder]) }
    try Data("\(Self.user)\n".utf8).write(to: URL(fileURLWithPath: "\(folder)/password"))
    if getuid() == 0 { _ = try await Self.run("/bin/chown", ["postgres", "\(folder)/password"]) }
    try await server(
      "initdb",
      [
        "--pgdata", data, "--data-checksums", "--username", Self.user, "--auth", options.authentication, "--pwfile",
        "\(folder)/password", "--encoding", options.encoding, "--locale", "C", "--no-sync", "--no-instructions",
      ])
    let settings =
      [
        "unix_socket_directories = '\(folder)'", "listen_addresses = '\(options.port == nil ? "" : "127.0.0.1")'",
        "port = \(options.port ?? 5_432)", "max_connections = 400", "shared_buffers = 16MB", "max_wal_senders = 0",
        "wal_level = minimal", "logging_collector = off",
      ] + options.settings
    let file = try FileHandle(forWritingTo: URL(fileURLWithPath: "\(data)/postgresql.conf"))
    try file.seekToEnd()
    try file.write(contentsOf: Data((settings.joined(separator: "\n") + "\n").utf8))
    try file.close()
    try await start()
    try watch()
  }

  deinit { end() }

  private var data: String { "\(folder)/data" }
  /// The port in the name of its socket, and of 127.0.0.1 if it has one.
  public var port: Int { options.port ?? 5_432 }

  /// A connection string for its socket.
  public func uri(database: String = "postgres", host: String? = nil) -> String {
    let place = (host ?? folder).replacingOccurrences(of: "/", with: "%2F")
    return "postgresql://\(Self.user)@\(place):\(port)/\(database)"
  }

  /// A schema that no other test has.
  public func freshSchema() -> String { "t\(lastNumber.add(1, ordering: .relaxed).newValue)" }

  /// A place for tables that no other test has.
  public func location(
    database: String = "postgres", schema: String? = nil, passwordFile: String? = nil
  ) throws -> PostgresLocation {
    try PostgresLocation(
      uri: uri(database: database), schema: schema ?? freshSchema(), application: "mainstay-test",
      passwordFile: passwordFile)
  }

  /// Runs SQL by psql, which is not the driver under test; its answer without decoration.
  @discardableResult
  public func psql(_ sql: String, database: String = "postgres") async throws -> String {
    let result = try await Program.run(
      "\(Self.programs)/psql", ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql, uri(database: database)],
      environment: ["PGPASSWORD": Self.user])
    guard result.code == 0 else { throw Failure(description: "psql: \(result.errors)") }
    return result.output.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  /// Begins to run SQL by psql.
  public func psqlRunning(_ sql: String) throws -> Program.Running {
    try Program.Running("\(Self.programs)/psql", ["-X", "-q", "-c", sql, uri()])
  }

  /// Answers on its port with TLS from now on.
  public func useCertificate(chain: String, key: String) async throws {
    for (file, name) in [(chain, "server.crt"), (key, "server.key")] {
      let target = "\(data)/\(name)"
      try FileManager.default.copyItem(atPath: file, toPath: target)
      try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: target)
      if getuid() == 0 { _ = try await Self.run("/bin/chown", ["postgres", target]) }
    }
    try await psql("ALTER SYSTEM SET ssl = on")
    try await psql("SELECT pg_reload_conf()")
  }

  /// Starts it again after `stop` or `kill`.
  public func start() async throws {
    // What a killed server leaves may hold its memory for a moment.
    for _ in 0..<50 {
      if (try? await server("pg_ctl", ["-D", data, "-l", "\(folder)/log", "-w", "-t", "120", "start"])) != nil {
        return
      }
      try await Task.sleep(for: .milliseconds(200))
    }
    let log = (try? String(contentsOfFile: "\(folder)/log", encoding: .utf8)) ?? ""
    throw Failure(description: "the server does not start: \(log.suffix(2_000))")
  }

  /// Ends it in order, without waiting for clients.
  public func stop() async throws { try await server("pg_ctl", ["-D", data, "-m", "fast", "-w", "-t", "120", "stop"]) }

  /// Ends the process that serves one client, drawn by the number, as a crash would: the server then ends all others too and
  /// recovers. False if no client is there.
  @discardableResult
  public func killBackend(_ number: Int) async throws -> Bool {
    let clients = try? await psql(
      "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY pid")
    let processes = (clients ?? "").split(separator: "\n").compactMap { Int32($0) }
    guard !processes.isEmpty else { return false }
    return Foundation.kill(processes[number % processes.count], SIGKILL) == 0
  }

  /// Ends it and all its processes at once, as a crash of the machine's software would.
  public func kill() async throws {
    let text = try String(contentsOfFile: "\(data)/postmaster.pid", encoding: .utf8)
    guard let postmaster = text.split(separator: "\n").first.flatMap({ Int32($0) }) else { return }
    // Stopped, so that it starts none that the list lacks. One that begins anew after the loss of a process has none for a moment.
    Foundation.kill(postmaster, SIGSTOP)
    let children = try await Program.run("/usr/bin/pgrep", ["-P", "\(postmaster)"])
    Foundation.kill(postmaster, SIGKILL)
    for child in children.output.split(separator: "\n").compactMap({ Int32($0) }) { Foundation.kill(child, SIGKILL) }
    try? FileManager.default.removeItem(atPath: "\(data)/postmaster.pid")
  }

  /// Ends it, and removes its folder.
  public func end() {
    // By a file, because this cannot wait: the watching shell sees it.
    FileManager.default.createFile(atPath: "\(folder)/end", contents: nil)
  }

  /// The folder of the newest server here.
  private static let programs: String = {
    let root = "/usr/lib/postgresql"
    let versions = ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []).compactMap { Int($0) }
    return versions.max().map { "\(root)/\($0)/bin" } ?? "/usr/bin"
  }()

  /// Ends the server when the tests end, however that happens.
  private func watch() throws {
    let script = """
      while kill -0 \(getpid()) 2>/dev/null && [ ! -e '\(folder)/end' ]; do sleep 1; done
      "$@"; rm -rf '\(folder)'
      """
    let stop = Self.asServerUser("pg_ctl", ["-D", data, "-m", "immediate", "-w", "stop"])
    _ = try Program.Running("/bin/sh", ["-c", script, "sh"] + stop)
  }

  private func server(_ program: String, _ arguments: [String]) async throws {
    let words = Self.asServerUser(program, arguments)
    _ = try await Self.run(words[0], Array(words.dropFirst()))
  }

  /// The server refuses to be run by root.
  private static func asServerUser(_ program: String, _ arguments: [String]) -> [String] {
    let words = ["\(programs)/\(program)"] + arguments
    guard getuid() == 0 else { return words }
    return ["/usr/bin/setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] + words
  }

  @discardableResult
  private static func run(_ program: String, _ arguments: [String]) async throws -> String {
    let result = try await Program.run(program, arguments)
    guard result.code == 0 else {
      throw Failure(description: "\(program) \(arguments.first ?? ""): \(result.errors) \(result.output)")
    }
    return result.output
  }

  /// Why there is no server; it is in the package postgresql.
  struct Failure: Error, CustomStringConvertible { let description: String }
}
