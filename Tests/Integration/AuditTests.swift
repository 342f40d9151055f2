import Foundation
import MainstayTesting
import Testing

/// The audit log of a running system: the programs as they are shipped, and files altered as somebody would who owns the machine.
@Suite struct AuditLogTests {
  private func waitForAll(_ system: RunningSystem) async throws -> Program.Result {
    var last: Program.Result?
    let isSound = try await eventually {
      last = try await system.mainstay(["audit", "verify", "all", "--format", "csv"])
      return last?.code == 0
    }
    #expect(isSound, "\(last?.output ?? "") \(last?.errors ?? "")\n\(system.endOfLogs())")
    return try #require(last)
  }

  private func create(_ system: RunningSystem, _ count: Int) async throws {
    for number in 0..<count {
      let request = """
        {"party": {"source": "audit", "sourceKey": "\(UUID())-\(number)", "person": {"familyName": "欧阳", "givenName": "娜娜"}}}
        """
      let reply = try await system.mainstay(["call", "mainstay.customer.v1.CustomerService/CreateParty", request])
      try #require(reply.code == 0, "\(reply.errors)")
    }
  }

  private func offline(_ system: RunningSystem, _ arguments: [String] = []) async throws -> Program.Result {
    try await Program.run(
      "mainstay-customer",
      ["audit", "verify", "--config", system.home.file("config/customer.yaml"), "--format", "json"] + arguments)
  }

  @Test func eachServiceSignsItsLogAndAnotherWitnessesIt() async throws {
    try await withSystem { system in
      try await create(system, 3)
      let result = try await waitForAll(system)
      for (service, witness) in [
        ("customer", "agent"), ("agent", "partner"), ("partner", "reporting"), ("reporting", "customer"),
      ] {
        #expect(result.output.contains("\(service),witness \(witness),ok"), "\(result.output)")
        #expect(result.output.contains("\(service),checkpoint file,ok"))
        #expect(result.output.contains("\(service),entries,ok"))
        let file = system.home.file("audit/\(service).checkpoints")
        #expect(try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int == 0o600)
      }
      let list = try await system.mainstay(["audit", "list", "--actor", "admin", "--format", "csv"])
      #expect(list.output.split(separator: "\n").count == 4, "\(list.output)")
      #expect(list.output.contains("/mainstay.customer.v1.CustomerService/CreateParty"))
    }
  }

  @Test func anEntryIsProvenWithoutAnyService() async throws {
    let system = try RunningSystem()
    let up = try await system.up()
    try #require(up.code == 0, "\(up.errors)")
    try await create(system, 2)
    _ = try await waitForAll(system)
    let proof = try await system.mainstay(["audit", "proof", "customer", "1"])
    let shown = try await system.mainstay(["audit", "show", "customer", "1", "--format", "json"])
    let note = try await system.mainstay(["audit", "checkpoint", "customer"])
    try await system.down()
    #expect(shown.code == 0 && shown.output.contains("AUDIT_KIND_EVENT"), "\(shown.errors)")
    #expect(note.output.hasPrefix("mainstay/customer/"))
    let path = system.home.file("proof.json")
    try proof.output.write(toFile: path, atomically: true, encoding: .utf8)
    let verified = try await system.mainstay(["audit", "verify", "--proof", path, "--format", "csv"])
    #expect(verified.code == 0 && verified.output.contains("admin"), "\(verified.errors)")
    let changed = proof.output.replacing("\"position\": \"1\"", with: "\"position\": \"2\"")
    #expect(changed != proof.output)
    try changed.write(toFile: path, atomically: true, encoding: .utf8)
    #expect(try await system.mainstay(["audit", "verify", "--proof", path]).code == 1)
    #expect(try await system.mainstay(["audit", "verify", "--proof", system.home.file("none.json")]).code == 2)
    #expect(try await system.mainstay(["audit", "verify", "nobody"]).code == 2)
  }

  @Test func aFlippedByteInTheDatabaseFileIsFoundWithItsPosition() async throws {
    let system = try RunningSystem()
    let up = try await system.up()
    try #require(up.code == 0, "\(up.errors)")
    try await create(system, 5)
    _ = try await waitForAll(system)
    let list = try await system.mainstay(["audit", "list", "--format", "csv"])
    try await system.down()
    let sound = try await offline(system)
    #expect(sound.code == 0 && sound.output.contains("\"sound\":true"), "\(sound.output) \(sound.errors)")
    // The leaf's bytes: format, kind event, then the id of the entry, which stands in the log alone in this form.
    let aggregate = try #require(
      list.output.split(separator: "\n").first { $0.hasPrefix("3,") }?.split(
        separator: ",", omittingEmptySubsequences: false)[5])
    let path = system.home.file("data/customer.db")
    var content = try Data(contentsOf: URL(fileURLWithPath: path))
    let leaf = Data([0, 0, 0, UInt8(aggregate.utf8.count)] + Array(aggregate.utf8) + [0, 0, 0, 0, 0, 0, 0, 1])
    let found = try #require(content.range(of: leaf))
    content[found.lowerBound + 10] ^= 4
    try content.write(to: URL(fileURLWithPath: path))
    let result = try await offline(system)
    #expect(result.code == 1 && result.output.contains("\"first_bad_position\":3"), "\(result.output) \(result.errors)")
  }

  @Test func aDatabasePutBackByHandIsFoundByFileAndWitness() async throws {
    let system = try RunningSystem()
    let up = try await system.up()
    try #require(up.code == 0, "\(up.errors)")
    try await create(system, 2)
    _ = try await waitForAll(system)
    try await system.down()
    let path = system.home.file("data/customer.db")
    let old = try Data(contentsOf: URL(fileURLWithPath: path))
    #expect(try await system.mainstay(["up"]).code == 0)
    try await create(system, 4)
    _ = try await waitForAll(system)
    try await system.down()
    // The files as they were: no epoch changes, so nothing in the database tells of it.
    try old.write(to: URL(fileURLWithPath: path))
    for suffix in ["-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + suffix) }
    let result = try await offline(system)
    #expect(result.code == 1 && result.output.contains("tail was removed"), "\(result.output) \(result.errors)")
    let configuration = system.home.file("config/customer.yaml")
    let operators = try freePort()
    let text =
      try String(contentsOfFile: configuration, encoding: .utf8) + "operators: {listen: \"127.0.0.1:\(operators)\"}\n"
    try text.write(toFile: configuration, atomically: true, encoding: .utf8)
    #expect(try await system.mainstay(["up"]).code == 0)
    let online = try await system.mainstay(["audit", "verify", "customer", "--format", "csv"])
    // What comes next is refused by the witness, and both say so to their operators.
    try await create(system, 1)
    let isTold = try await eventually {
      let metrics = try await Program.run("/usr/bin/curl", ["--silent", "http://127.0.0.1:\(operators)/metrics"]).output
      return metrics.contains("\nmainstay_audit_witness_refuses 1\n")
    }
    #expect(isTold, "\(system.endOfLogs())")
    let status = try await system.mainstay(["status", "--format", "csv"])
    #expect(status.code == 1 && status.errors.contains("what customer has stored"), "\(status.errors)")
    let alarmed = status.output.split(separator: "\n").filter { $0.contains(",ALARM,SERVING,") }
    #expect(alarmed.count == 1 && alarmed.first?.hasPrefix("mainstay-customer,") == true, "\(status.output)")
    for (service, line) in [
      ("customer", "the witness refuses the audit log's checkpoint"),
      ("agent", "another service's audit log contradicts what it has signed before"),
    ] {
      let log = try String(contentsOfFile: system.home.file("logs/\(service).log"), encoding: .utf8)
      let told = log.split(separator: "\n").first { $0.contains(line) }
      #expect(told?.contains("error") == true && told?.contains("docs/runbooks/audit.md") == true, "\(service)")
    }
    try await system.down()
    #expect(online.code == 1 && online.output.contains("customer,witness agent,FAILED"), "\(online.output)")
    #expect(online.output.contains("customer,checkpoint file,FAILED"), "\(online.output)")
  }
}
