import Foundation
import MainstayTesting
import Testing

/// The demo data of all services, in a small size, moved to a server and back by the command for it.
@Suite(
  .serialized, .timeLimit(.minutes(30)),
  .enabled(if: Program.exists("mainstay"), "the programs are not built: make release"))
struct StorageMoveTests {
  private static let services = ["partner", "customer", "agent", "reporting"]

  /// What callers see: the same before and after.
  private func answers(_ system: RunningSystem) async throws -> [String] {
    let found = try await system.answer(["customers", "search", "李", "--limit", "30", "--format", "csv"])
    let customer = try #require(found.split(separator: "\n").dropFirst().first?.split(separator: ",").first)
    return [
      found,
      try await system.answer(["customers", "get", String(customer), "--format", "json"]),
      try await system.answer(["policies", "list", "--customer", String(customer), "--format", "json"]),
      try await system.answer(["policies", "list", "--limit", "50", "--format", "csv"]),
      try await system.answer(["agents", "branches", "--format", "csv"]),
      try await system.answer(["products", "list", "--format", "csv"]),
      try await system.answer(["reports", "run", "kpi", "--format", "csv"]),
    ]
  }

  /// How many events of the customer service reporting has applied, once it has all.
  private func appliedEvents(_ system: RunningSystem) async throws -> Int {
    var applied = -1
    let isCaughtUp = try await eventually(within: .seconds(120)) {
      let lag = try await system.answer(["reports", "lag", "--format", "csv"])
      let cells = lag.split(separator: "\n").first { $0.hasPrefix("customer,") }?.split(separator: ",") ?? []
      applied = cells.count > 4 ? Int(cells[4]) ?? -1 : -1
      return cells.count > 2 && cells[2] == "true"
    }
    #expect(isCaughtUp, "\(system.endOfLogs())")
    return applied
  }

  private func file(_ service: String, _ system: RunningSystem) -> String { system.home.file("data/\(service).db") }

  /// Kills a copy in its middle, sees that no service takes what it has left, and gives how far it was.
  private func interruptedCopy(_ system: RunningSystem, _ server: PostgresServer) async throws {
    let configuration = system.home.file("config/customer.yaml")
    var isHalf = false
    for _ in 0..<10 where !isHalf {
      try await server.psql("DROP SCHEMA IF EXISTS customer CASCADE")
      let copy = try Program.Running(
        "mainstay-customer",
        ["storage", "copy", "sqlite:\(file("customer", system))", server.uri(), "--config", configuration])
      let hasBegun = try await eventually(within: .seconds(120)) {
        (try? await server.psql("SELECT count(*) > 0 FROM customer.event")) == "t"
      }
      copy.signal(SIGKILL)
      let ended = try await copy.result()
      try #require(hasBegun, "\(ended.errors)")
      // What the server still does for it ends too.
      let isAlone = try await eventually {
        try await server.psql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'mainstay-customer'")
          == "0"
      }
      #expect(isAlone)
      isHalf = try await server.psql("SELECT to_regclass('customer.storage_copy') IS NOT NULL") == "t"
    }
    try #require(isHalf, "each copy was done before it was killed")
    let started = try await Program.run("mainstay-customer", ["--config", configuration, "--database", server.uri()])
    #expect(started.code != 0 && (started.errors + started.output).contains("storage_copy"), "\(started.errors)")
  }

  private func copy(_ service: String, _ system: RunningSystem, from: String, to: String) async throws -> [String] {
    let copied = try await system.mainstay(["storage", "copy", service, from, to, "--format", "csv"])
    try #require(copied.code == 0, "\(service): \(copied.errors)")
    let lines = copied.output.split(separator: "\n").dropFirst().map(String.init)
    #expect(lines.allSatisfy { $0.hasPrefix("\(service),equal,") }, "\(copied.output)")
    return lines
  }

  private func useServer(_ service: String, _ system: RunningSystem, _ server: PostgresServer) throws {
    let path = system.home.file("config/\(service).yaml")
    let text = try String(contentsOfFile: path, encoding: .utf8)
    let line = "database: sqlite:../data/\(service).db"
    #expect(text.contains(line))
    try text.replacing(line, with: "database: \"\(server.uri())\"").write(
      toFile: path, atomically: true, encoding: .utf8)
  }

  @Test func allServicesMoveToAServerAndBackEqualToTheRowAndGoOnThere() async throws {
    let server = try await PostgresServer()
    defer { server.end() }
    let system = try RunningSystem()
    let up = try await system.up()
    try #require(up.code == 0, "\(up.errors)")
    let loaded = try await system.mainstay(["demo", "load", "--scale", "1"])
    #expect(loaded.code == 0, "\(loaded.errors)")
    let (before, applied) = (try await answers(system), try await appliedEvents(system))
    try await system.down()

    try await interruptedCopy(system, server)
    for service in Self.services {
      let back = system.home.file("data/\(service)-back.db")
      let there = try await copy(service, system, from: "sqlite:\(file(service, system))", to: server.uri())
      #expect(try await copy(service, system, from: server.uri(), to: "sqlite:\(back)") == there)
      let compared = try await Python.run(
        script: "Tests/Integration/compare_databases.py", arguments: [file(service, system), back],
        modules: ["sqlite3"])
      let comparison = try #require(compared, "no Python with sqlite3")
      #expect(comparison.code == 0, "\(service): \(comparison.errors)")
      if service == "customer" {
        for table in ["party 130", "policy 300", "event "] { #expect(comparison.output.contains(table)) }
        #expect(comparison.output.contains("party_name 130"), "\(comparison.output)")
      }
      try useServer(service, system, server)
    }

    try #require(try await system.up().code == 0)
    do { try await goOn(system, before, applied) } catch {
      try await system.down()
      throw error
    }
    try await system.down()
    let checked = try await system.mainstay(["storage", "check", "--format", "csv"])
    #expect(checked.code == 0, "\(checked.output)\(checked.errors)")
    for service in Self.services {
      let verified = try await Program.run(
        "mainstay-\(service)", ["audit", "verify", "--config", system.home.file("config/\(service).yaml")])
      #expect(verified.code == 0, "\(service): \(verified.output)\(verified.errors)")
    }
  }

  /// The services on the server: as before, new facts are told to whoever followed, and what retention removes is missed by nobody.
  private func goOn(_ system: RunningSystem, _ before: [String], _ applied: Int) async throws {
    #expect(try await answers(system) == before)
    let created = try await system.answer([
      "call", "mainstay.customer.v1.CustomerService/CreateParty",
      #"{"party": {"source": "own", "sourceKey": "1", "person": {"fullName": "诸葛孔明"}}}"#,
    ])
    #expect(created.contains("cus_"), "\(created)")
    #expect(try await system.answer(["customers", "search", "孔明", "--format", "csv"]).contains("cus_"))
    let isTold = try await eventually(within: .seconds(120)) { try await appliedEvents(system) > applied }
    let now = try await appliedEvents(system)
    #expect(isTold && now < applied + 10, "it goes on where it was: \(applied), then \(now)")
    for service in ["agent", "partner"] {
      let removed = try await system.mainstay(["events", "retention", service, "--apply", "--keep-events", "1"])
      #expect(removed.code == 0 && !removed.errors.contains("removed 0 events"), "\(removed.errors)")
    }
    var verified: Program.Result?
    let isSound = try await eventually(within: .seconds(120)) {
      verified = try await system.mainstay(["audit", "verify", "all", "--format", "csv"])
      return verified?.code == 0
    }
    #expect(isSound, "\(verified?.output ?? "")")
  }
}
