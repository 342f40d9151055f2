import Foundation
import MainstayTesting
import Synchronization

/// Replicas of services, each a process of its own, on SQLite or on a PostgreSQL server that may be killed. Nobody supervises them
/// but the test: what ends is started again at once, unless it is held down.
final class Fleet: Sendable {
  enum Store: Sendable {
    case sqlite
    case postgresql(PostgresServer, database: String = "postgres")
  }

  struct Member: Hashable, Sendable, CustomStringConvertible {
    let service: String
    var replica = 1
    var description: String { "\(service)-\(replica)" }
  }

  private struct Start: Sendable {
    let program: String
    let environment: [String: String]
  }

  private struct State: Sendable {
    var running: [Member: Program.Running] = [:]
    var programs: [Member: Start] = [:]
    var held: Set<Member> = []
    var keepers: [Task<Void, any Error>] = []
    var ends: [Member: [String]] = [:]
    var isStopping = false

    func start(of member: Member) -> Start {
      programs[member] ?? Start(program: "mainstay-\(member.service)", environment: [:])
    }
  }

  /// Certificates, configurations and files; a state folder of `mainstay`.
  let home: TemporaryFolder
  let store: Store
  /// The services' replicas, without the gateway.
  let replicas: [Member]
  let hasGateway: Bool
  /// Programs from before the audit log's settings refuse them.
  private let hasAudit: Bool
  private let ports: [Member: Int]
  private let state = Mutex(State())

  static let gateway = Member(service: "gateway")
  /// Each is the witness of the one before.
  private static let witnesses = [
    "customer": "agent", "agent": "partner", "partner": "reporting", "reporting": "customer",
  ]

  /// Makes certificates and configurations; nothing runs yet.
  init(
    _ services: [String], replicas count: Int = 1, on store: Store, gateway: Bool = false, audit: Bool = true
  ) async throws {
    home = try TemporaryFolder()
    self.store = store
    (hasGateway, hasAudit) = (gateway, audit)
    replicas = services.flatMap { service in (1...count).map { Member(service: service, replica: $0) } }
    let members = replicas + (gateway ? [Self.gateway] : [])
    ports = try Dictionary(uniqueKeysWithValues: members.map { ($0, try freePort()) })
    let made = try await Program.run("mainstay", ["certs", "init", "--home", home.path])
    guard made.code == 0 else { throw Failure(description: "certs init: \(made.errors)") }
    for folder in ["data", "audit", "config"] {
      try FileManager.default.createDirectory(atPath: home.file(folder), withIntermediateDirectories: true)
    }
    for member in members { try home.write("config/\(fileName(member))", configuration(of: member)) }
  }

  var members: [Member] { replicas + (hasGateway ? [Self.gateway] : []) }
  var services: [String] { Set(replicas.map(\.service)).sorted() }

  /// Where a service's replicas listen.
  func addresses(of service: String) -> [Int] {
    members.filter { $0.service == service }.compactMap { ports[$0] }
  }

  private func fileName(_ member: Member) -> String {
    member.service == "gateway" ? "gateway.yaml" : "\(member).yaml"
  }

  private func configurationFile(of member: Member) -> String { home.file("config/\(fileName(member))") }

  private func database(of service: String) -> String {
    switch store {
    case .sqlite: "sqlite:\(home.file("data/\(service).db"))"
    case .postgresql(let server, let name): server.uri(database: name)
    }
  }

  private func configuration(of member: Member) -> String {
    func list(_ service: String) -> String { addresses(of: service).map { "127.0.0.1:\($0)" }.joined(separator: ",") }
    let name = member.service
    var lines = [
      "listen: 127.0.0.1:\(ports[member] ?? 0)", "log_level: info", "event_loops: 1", "shutdown_grace_seconds: 5",
      "tls: {certificate: ../pki/\(name).pem, private_key: ../pki/\(name)-key.pem, authority: ../pki/ca.pem, client_verification: required}",
    ]
    let called =
      switch name {
      case "gateway": services
      case "reporting": ["customer", "agent", "partner"]
      case "customer", "agent": ["partner"]
      default: [String]()
      }
    let upstreams = called.filter { services.contains($0) }.map { "\($0): \"\(list($0))\"" }
    if !upstreams.isEmpty { lines.append("upstreams: {\(upstreams.joined(separator: ", "))}") }
    if name == "gateway" { return lines.joined(separator: "\n") + "\n" }
    lines += ["database: \"\(database(of: name))\"", "replica: \(member)", "database_connections: 12"]
    guard hasAudit else { return lines.joined(separator: "\n") + "\n" }
    lines += [
      "audit:", "  key: ../pki/\(name)-audit-key.pem", "  trusted_keys: ../pki/audit-keys.txt",
      "  checkpoint_file: ../audit/\(member).checkpoints",
    ]
    if let witness = Self.witnesses[name], services.contains(witness) {
      lines.append("  witness: \"\(list(witness))\"")
    }
    return lines.joined(separator: "\n") + "\n"
  }

  // MARK: - Processes

  /// Starts all, and keeps them running.
  func start() {
    state.withLock { $0.isStopping = false }
    for member in members { keep(member) }
  }

  /// The program that a replica is from its next start on.
  func use(_ program: String, environment: [String: String] = [:], for member: Member) {
    state.withLock { $0.programs[member] = Start(program: program, environment: environment) }
  }

  private func keep(_ member: Member) {
    let task = Task {
      while let start = next(member) {
        let process = try Program.Running(
          start.program, ["--config", configurationFile(of: member)], environment: start.environment)
        let isLate = state.withLock { state in
          state.running[member] = process
          return state.isStopping
        }
        if isLate { process.signal(SIGTERM) }
        let result = try await process.result()
        state.withLock { state in
          state.running[member] = nil
          state.ends[member, default: []].append(String(result.errors.suffix(2_000)))
        }
        // Neither at once, while what it needs may be away, nor ever later.
        if result.code != SIGKILL { try await Task.sleep(for: .milliseconds(100)) }
        while state.withLock({ $0.held.contains(member) && !$0.isStopping }) {
          try await Task.sleep(for: .milliseconds(20))
        }
      }
    }
    state.withLock { $0.keepers.append(task) }
  }

  private func next(_ member: Member) -> Start? { state.withLock { $0.isStopping ? nil : $0.start(of: member) } }

  /// Sends a signal; false if it does not run. A held one is not started again before `release`.
  @discardableResult
  func signal(_ number: Int32, _ member: Member, hold: Bool = false) -> Bool {
    state.withLock { state in
      if hold { state.held.insert(member) }
      guard let process = state.running[member] else { return false }
      process.signal(number)
      return true
    }
  }

  func release(_ member: Member) { state.withLock { _ = $0.held.remove(member) } }

  /// Ends all in order, and waits for it.
  func stop() async throws {
    let keepers = state.withLock { state in
      state.isStopping = true
      for process in state.running.values {
        process.signal(SIGCONT)
        process.signal(SIGTERM)
      }
      defer { state.keepers = [] }
      return state.keepers
    }
    for keeper in keepers { try await keeper.value }
  }

  /// What its ended processes wrote last, newest last.
  func ends(of member: Member) -> [String] { state.withLock { $0.ends[member] ?? [] } }

  /// For the report of a failure.
  var endOfLogs: String {
    members.map { member in
      let running = state.withLock { $0.running[member] }
      let text = running?.errors ?? ends(of: member).last ?? "never ran"
      return "---- \(member)\n" + text.split(separator: "\n").suffix(12).joined(separator: "\n")
    }.joined(separator: "\n")
  }

  // MARK: - Work on the data

  /// Runs a command of a service's own program, such as `storage check`, on its data.
  func work(_ service: String, _ words: [String]) async throws -> Program.Result {
    let member = Member(service: service)
    let start = state.withLock { $0.start(of: member) }
    return try await Program.run(
      start.program, words + ["--config", configurationFile(of: member)], environment: start.environment)
  }

  /// What a query gives, by tools that are not ours: psql, or Python's sqlite3. On SQLite the service must not run.
  func rows(_ service: String, _ sql: String) async throws -> [[String]] {
    let text: String
    switch store {
    case .postgresql(let server, let name):
      text = try await server.psql("SET search_path = \(service); \(sql)", database: name)
    case .sqlite:
      let script = """
        import sqlite3, sys
        for row in sqlite3.connect(sys.argv[1]).execute(sys.argv[2]): print("|".join("" if v is None else str(v) for v in row))
        """
      guard let python = try await Python.interpreter(with: ["sqlite3"]) else {
        throw Failure(description: "no Python with sqlite3")
      }
      let result = try await Program.run(python, ["-c", script, home.file("data/\(service).db"), sql])
      guard result.code == 0 else { throw Failure(description: "\(sql): \(result.errors)") }
      text = result.output
    }
    return text.split(separator: "\n").map {
      $0.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
    }
  }

  /// Why there is no fleet, or no answer.
  struct Failure: Error, CustomStringConvertible { let description: String }
}
