import Foundation
import MainstayTesting
import Testing

/// `mainstay up`, `down`, `status` and the supervisor, with the real programs.
@Suite(
  .serialized, .timeLimit(.minutes(10)),
  .enabled(if: Program.exists("mainstay"), "the programs are not built: make release"))
struct LifecycleTests {
  @Test func upStatusAndDownSayWhatIs() async throws {
    let system = try RunningSystem()
    #expect(try await system.mainstay(["status"]).code == 1)
    let first = try await system.up()
    #expect(first.code == 0, "\(first.errors)")
    #expect(first.errors.isEmpty, "a fresh folder needs no advice: \(first.errors)")
    #expect(first.output.contains("127.0.0.1:\(system.gatewayPort)"))
    let status = try await system.mainstay(["status"])
    #expect(status.code == 0)
    #expect(
      status.output.split(separator: "\n").filter { $0.contains(",running,") && $0.contains(",SERVING,") }.count
        == RunningSystem.processes.count)
    let again = try await system.mainstay(["up"])
    #expect(again.code == 0 && again.output.contains("already up"))
    #expect(try await system.down().output == "Mainstay is down.\n")
    let downAgain = try await system.down()
    #expect(downAgain.code == 0 && downAgain.output.contains("not running"))
    #expect(system.processIdentifier(of: "customer") == nil)
  }

  @Test func stateIsClosedToOthersAndKept() async throws {
    let system = try RunningSystem()
    #expect(try await system.mainstay(["certs", "init"]).code == 0)
    let key = system.home.file("pki/ca-key.pem")
    let before = try Data(contentsOf: URL(fileURLWithPath: key))
    let up = try await system.up()
    #expect(up.code == 0, "\(up.errors)")
    #expect(try Data(contentsOf: URL(fileURLWithPath: key)) == before)
    for folder in ["pki", "data", "logs", "run", "config"] {
      #expect(mode(system.home.file(folder)) == 0o700, "\(folder)")
    }
    for file in ["pki/admin-key.pem", "pki/ca-key.pem", "data/customer.db", "logs/customer.log", "config/gateway.yaml"]
    {
      #expect(mode(system.home.file(file)) == 0o600, "\(file)")
    }
    let listed = try await system.mainstay(["certs", "list"]).output
    for name in ["admin,administrator,", "customer,service,", "gateway,service,"] {
      #expect(listed.contains("\n\(name)"), "\(name)")
    }
    try await system.down()
  }

  @Test func aServiceThatIsKilledComesBack() async throws {
    let system = try RunningSystem()
    #expect(try await system.up().code == 0)
    let process = try #require(system.processIdentifier(of: "customer"))
    kill(process, SIGKILL)
    let isBack = try await eventually {
      let status = try await system.mainstay(["status", "--format", "csv"])
      return status.code == 0 && status.output.contains("SERVING,1\n")
    }
    #expect(isBack)
    #expect(try await system.mainstay(["customers", "list"]).code == 0)
    try await system.down()
  }

  @Test func servicesWhoseSupervisorWasKilledAreTakenOver() async throws {
    let system = try RunningSystem()
    #expect(try await system.up().code == 0)
    let supervisor = try #require(system.processIdentifier(of: "supervisor"))
    let orphan = try #require(system.processIdentifier(of: "customer"))
    kill(supervisor, SIGKILL)
    #expect(try await eventually { try await system.mainstay(["status"]).code == 1 })
    #expect(kill(orphan, 0) == 0, "it runs on")
    let up = try await system.up()
    #expect(up.code == 0, "\(up.errors)")
    #expect(system.processIdentifier(of: "customer") != orphan)
    kill(try #require(system.processIdentifier(of: "supervisor")), SIGKILL)
    #expect(
      try await eventually {
        try await system.down().code == 0 && system.processIdentifier(of: "customer").map { kill($0, 0) } != 0
      })
  }

  @Test func theSupervisorRunsInTheForegroundForContainers() async throws {
    let system = try RunningSystem()
    let arguments = ["up", "--foreground"] + system.portOptions
    let running = try Program.Running("mainstay", arguments, environment: ["MAINSTAY_HOME": system.home.path])
    #expect(try await eventually { try await system.mainstay(["status"]).code == 0 })
    running.signal(SIGTERM)
    #expect(try await running.result().code == 0)
    #expect(try await system.mainstay(["status"]).code == 1)
  }

  @Test func aPortInUseIsNamed() async throws {
    let system = try RunningSystem()
    #expect(try await system.up().code == 0)
    let other = try RunningSystem()
    // The last one counts.
    let result = try await other.mainstay(["up"] + other.portOptions + ["--gateway-port", "\(system.gatewayPort)"])
    #expect(result.code == 1)
    #expect(
      isOneLine(result.errors) && result.errors.contains("127.0.0.1:\(system.gatewayPort) is in use"),
      "\(result.errors)")
    #expect(other.processIdentifier(of: "customer") == nil, "nothing is left half running")
    try await system.down()
  }

  @Test func anUnknownKeyOfAConfigurationIsNamed() async throws {
    let system = try RunningSystem()
    #expect(try await system.up().code == 0)
    try await system.down()
    let file = system.home.file("config/customer.yaml")
    try system.home.write("config/customer.yaml", try String(contentsOfFile: file, encoding: .utf8) + "colour: red\n")
    let result = try await system.mainstay(["up"])
    #expect(result.code == 2)
    #expect(
      isOneLine(result.errors) && result.errors.contains("customer.yaml") && result.errors.contains("colour"),
      "\(result.errors)")
  }

  @Test func aDataFolderThatCannotBeWrittenIsNamed() async throws {
    let system = try RunningSystem()
    #expect(try await system.mainstay(["certs", "init"]).code == 0)
    let data = system.home.file("data")
    chmod(data, 0o500)
    defer { chmod(data, 0o700) }
    if getuid() == 0 {
      // Root may write anywhere; and without rights the folder of the programs may be out of reach.
      let folder = try copyOfPrograms()
      defer { withExtendedLifetime(folder) {} }
      let owned = try await Program.run("/bin/chown", ["-R", "65534", system.home.path, folder.path])
      #expect(owned.code == 0)
      try await expectReadOnlyIsNamed(
        system, ["/usr/bin/setpriv", "--reuid=65534", "--clear-groups", folder.file("mainstay")], folder.path)
    } else {
      try await expectReadOnlyIsNamed(system, ["\(Program.folder)/mainstay"], Program.folder)
    }
  }

  private func expectReadOnlyIsNamed(
    _ system: RunningSystem, _ command: [String], _ programs: String
  ) async throws {
    let arguments = command.dropFirst() + ["up", "--bin-dir", programs] + system.portOptions
    let result = try await Program.run(command[0], Array(arguments), environment: ["MAINSTAY_HOME": system.home.path])
    #expect(result.code == 1)
    #expect(isOneLine(result.errors) && result.errors.contains("\(system.home.path)/"), "\(result.errors)")
    #expect(result.errors.contains("data"))
  }

  /// Programs where a user without rights can reach them.
  private func copyOfPrograms() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    for name in ["mainstay"] + RunningSystem.processes.map({ "mainstay-\($0)" }) {
      try FileManager.default.copyItem(atPath: "\(Program.folder)/\(name)", toPath: folder.file(name))
    }
    return folder
  }
}

/// Whether a text is exactly one line.
func isOneLine(_ text: String) -> Bool { text.hasSuffix("\n") && text.split(separator: "\n").count == 1 }

private func mode(_ path: String) -> Int? {
  let attributes = try? FileManager.default.attributesOfItem(atPath: path)
  return (attributes?[.posixPermissions] as? NSNumber)?.intValue
}
