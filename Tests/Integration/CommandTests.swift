import Foundation
import MainstayTesting
import Testing

/// The other commands, with the real programs.
@Suite(
  .serialized, .timeLimit(.minutes(10)),
  .enabled(if: Program.exists("mainstay"), "the programs are not built: make release"))
struct CommandTests {
  private static let create = """
    {"party": {"source": "crm", "sourceKey": "1", "person": {"fullName": "王小明", "birthDate": {"year": 1990, "month": 1, "day": 2}}}}
    """

  @Test func anyMethodCanBeCalled() async throws {
    let system = try RunningSystem()
    try #require(try await system.up().code == 0)
    let service = "mainstay.customer.v1.CustomerService"
    let made = try await system.mainstay(["call", "\(service)/CreateParty", Self.create])
    #expect(made.code == 0, "\(made.errors)")
    #expect(made.output.contains("\"sourceKey\": \"1\""))
    let fromInput = try await system.mainstay(
      ["call", "\(service)/ListCustomers", "-", "--reflection"], input: "{\"pageSize\": 5}")
    #expect(fromInput.output.contains("王小明"), "\(fromInput.errors)")
    let health = try await system.mainstay(["call", "grpc.health.v1.Health/Check", "--service", "customer"])
    #expect(health.output.contains("SERVING"))
    let rows = (2...3).map {
      "{\"source\":\"s\",\"rows\":[{\"line\":\($0),\"party\":{\"sourceKey\":\"\($0)\",\"person\":{\"givenName\":\"a\"}}}]}\n"
    }
    let streamed = try await system.mainstay(["call", "\(service)/ImportParties", "--stream"], input: rows.joined())
    #expect(streamed.output == "{\"created\":\"1\"}\n{\"created\":\"1\"}\n", "\(streamed.errors)")
    let found = try await system.mainstay(["customers", "search", "小明", "--format", "table"])
    #expect(found.output.contains("crm:1"))
    let id = try #require(found.output.split(separator: "\n").last?.split(separator: " ").first)
    let got = try await system.mainstay(["customers", "get", String(id), "--format", "csv"])
    #expect(got.output.contains(",crm,1,王小明,1990-01-02"))
    let events = try await system.mainstay(["events", "tail", "--until-caught-up", "--format", "json"])
    #expect(events.output.split(separator: "\n").count == 3)
    let token = try #require(events.errors.split(separator: " ").last).trimmingCharacters(in: .newlines)
    let later = try await system.mainstay(["events", "tail", "--until-caught-up", "--format", "json", "--from", token])
    #expect(later.code == 0 && later.output.isEmpty, "\(later.output)")
    try await system.down()
  }

  @Test func channelsShowWhoIsConnectedToWhom() async throws {
    try await withSystem { system in
      #expect(try await system.mainstay(["customers", "list"]).code == 0)
      let gateway = try await system.mainstay(["channels", "--format", "csv"])
      let lines = gateway.output.split(separator: "\n").map {
        $0.split(separator: ",", omittingEmptySubsequences: false)
      }
      let channel = lines.first { $0[0] == "channel" && $0[2] == "127.0.0.1:\(system.customerPort)" && $0[5] != "0" }
      #expect(channel?[4] == "READY", "\(gateway.output) \(gateway.errors)")
      #expect(lines.contains { $0[0] == "client" && $0[3] == "admin (administrator)" })
      let service = try await system.mainstay(["channels", "--service", "customer", "--format", "csv"])
      #expect(service.output.contains(",gateway (service),"), "\(service.output) \(service.errors)")
      #expect(try await system.mainstay(["certs", "create", "--name", "eve", "--role", "auditor"]).code == 0)
      let eve = [
        "--certificate", system.home.file("pki/eve.pem"), "--private-key", system.home.file("pki/eve-key.pem"),
      ]
      let denied = try await system.mainstay(["channels"] + eve)
      #expect(denied.code == 1 && denied.errors.hasPrefix("PERMISSION_DENIED: "), "\(denied.errors)")
    }
  }

  @Test func errorsHaveTheirCodeAndEachBadField() async throws {
    let system = try RunningSystem()
    try #require(try await system.up().code == 0)
    let service = "mainstay.customer.v1.CustomerService"
    let missing = try await system.mainstay(["customers", "get", "cus_01J9ZQ6V6T3M3B5X0Y7N2K8R4D"])
    #expect(
      missing.code == 1 && isOneLine(missing.errors) && missing.errors.hasPrefix("NOT_FOUND: "), "\(missing.errors)")
    let bad = try await system.mainstay(["call", "\(service)/CreateParty", "{\"party\": {\"source\": \"A B\"}}"])
    #expect(bad.code == 1 && bad.errors.hasPrefix("INVALID_ARGUMENT: "))
    #expect(bad.errors.contains("\n  party.source: ") && bad.errors.contains("\n  party.source_key: "), "\(bad.errors)")
    let late = try await system.mainstay(["call", "\(service)/ListCustomers", "--deadline", "1ms"])
    #expect(late.code == 1 && late.errors.hasPrefix("DEADLINE_EXCEEDED: "), "\(late.errors)")
    let unknown = try await system.mainstay(["call", "\(service)/Forget"])
    #expect(
      unknown.code == 1 && isOneLine(unknown.errors) && unknown.errors.contains("GetCustomer"), "\(unknown.errors)")
    let name = try await system.mainstay(["call", "\(service)/CreateParty", "{\"parti\": {}}"])
    #expect(
      name.code == 2 && isOneLine(name.errors) && name.errors.contains("parti: ")
        && name.errors.contains("no such field"), "\(name.errors)")
    try await system.down()
  }

  @Test func onlyItsOwnAuthorityIsLetIn() async throws {
    let system = try RunningSystem()
    try #require(try await system.up().code == 0)
    let other = try RunningSystem()
    #expect(try await other.mainstay(["certs", "init"]).code == 0)
    let foreign = [
      "--certificate", other.home.file("pki/admin.pem"), "--private-key", other.home.file("pki/admin-key.pem"),
    ]
    let refused = try await system.mainstay(["customers", "list"] + foreign)
    #expect(
      refused.code == 1 && isOneLine(refused.errors) && refused.errors.contains("certificate"), "\(refused.errors)")
    let distrusted = try await system.mainstay(["customers", "list", "--authority", other.home.file("pki/ca.pem")])
    #expect(
      distrusted.code == 1 && isOneLine(distrusted.errors) && distrusted.errors.contains("certificate"),
      "\(distrusted.errors)")
    #expect(try await system.mainstay(["certs", "create", "--name", "eve", "--role", "auditor"]).code == 0)
    let eve = ["--certificate", system.home.file("pki/eve.pem"), "--private-key", system.home.file("pki/eve-key.pem")]
    let denied = try await system.mainstay(["customers", "list"] + eve)
    #expect(denied.code == 1 && denied.errors.hasPrefix("PERMISSION_DENIED: "), "\(denied.errors)")
    #expect(try await system.mainstay(["events", "tail", "--until-caught-up"] + eve).code == 0)
    try await system.down()
  }

  @Test(arguments: [
    ["frobnicate"], ["customers", "import"], ["customers", "list", "--format", "xml"], ["up", "--gateway-port", "0"],
    ["certs", "create", "--name", "../x", "--role", "agent"], ["certs", "create", "--name", "ca", "--role", "agent"],
    ["customers", "import", "x.csv", "--source", "No Such", "--mapping", "y"], ["call", "nothing"],
    ["customers", "list", "--target", "nowhere"], ["call", "a.B/C", "{}", "--stream"],
  ])
  func badUsageIsOneLineAndExitCode2(arguments: [String]) async throws {
    let system = try RunningSystem()
    #expect(try await system.mainstay(["certs", "init"]).code == 0)
    let result = try await system.mainstay(arguments)
    #expect(result.code == 2)
    #expect(isOneLine(result.errors) && result.errors.hasPrefix("mainstay: "), "\(result.errors)")
  }

  @Test(arguments: [
    [], ["up"], ["down"], ["status"], ["certs"], ["certs", "create"], ["call"], ["customers"], ["customers", "import"],
    ["customers", "clusters"], ["policies", "import"], ["channels"], ["events", "tail"],
  ])
  func everyCommandHasHelpWithAnExample(command: [String]) async throws {
    let help = try await Program.run("mainstay", command + ["--help"])
    #expect(help.code == 0)
    #expect(help.output.contains("Example"), "\(help.output)")
  }

  @Test(arguments: ["bash", "zsh", "fish"])
  func completionsAreThere(shell: String) async throws {
    let script = try await Program.run("mainstay", ["--generate-completion-script", shell])
    #expect(script.code == 0 && script.output.contains("clusters"))
  }

  @Test func aReaderThatIsGoneEndsTheOutputQuietly() async throws {
    let command = "'\(Program.folder)/mainstay' --generate-completion-script bash | head -1"
    let result = try await Program.run("/bin/bash", ["-c", command])
    #expect(result.errors.isEmpty)
  }
}
