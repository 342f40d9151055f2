import Foundation
import MainstayTesting
import Testing

/// Tokens of the command line, with the real programs.
@Suite(
  .serialized, .timeLimit(.minutes(10)),
  .enabled(if: Program.exists("mainstay"), "the programs are not built: make release"))
struct TokenCommandTests {
  private static let service = "mainstay.customer.v1.CustomerService"
  private static let party = """
    {"party": {"source": "crm", "sourceKey": "1", "person": {"fullName": "王小明", "birthDate": {"year": 1990, "month": 1, "day": 2}}}}
    """

  @Test func whoCallsWithATokenStandsInTheAuditLogWithTheServiceThatPassedItOn() async throws {
    try await withSystem { system in
      let token = try await token(system, name: "mei.lin", role: "back-office")
      let made = try await system.mainstay(
        ["call", "\(Self.service)/CreateParty", Self.party, "--token-file", token.file])
      #expect(made.code == 0, "\(made.errors)")
      // An entry has its place in the log within a second.
      let isListed = try await eventually {
        let listed = try await system.mainstay([
          "call", "mainstay.platform.v1.AuditService/ListAuditEntries", #"{"actor": "mei.lin"}"#, "--service",
          "customer",
        ])
        return [#""actor": "mei.lin""#, #""callingService": "gateway""#].allSatisfy { listed.output.contains($0) }
      }
      #expect(isListed)
      // The administrator's certificate, which the command shows too, adds nothing.
      let other = try await self.token(system, name: "li.wei", role: "no-such-role")
      let denied = try await system.mainstay(
        ["call", "\(Self.service)/CreateParty", Self.party, "--token-file", other.file])
      #expect(denied.code == 1 && denied.errors.contains("li.wei may not call"), "\(denied.errors)")
      let direct = try await system.mainstay([
        "call", "\(Self.service)/CreateParty", Self.party, "--token-file", other.file, "--target",
        "127.0.0.1:\(system.customerPort)",
      ])
      #expect(direct.code == 1 && direct.errors.contains("li.wei may not call"), "\(direct.errors)")
      let told = system.endOfLogs(lines: 10_000) + made.errors + denied.errors + direct.errors
      for text in [token.text, other.text] {
        for part in text.split(separator: ".").dropFirst() { #expect(!told.contains(part.prefix(16))) }
      }
      #expect(told.contains("\"reason\":\"role_missing\""))
    }
  }

  @Test func theKeyIsForItsOwnerAloneAndStaysWhatItIs() async throws {
    let system = try RunningSystem()
    let first = try await token(system, name: "mei.lin", role: "agent")
    let key = system.home.file("pki/token-signing-key.pem")
    let mode = try FileManager.default.attributesOfItem(atPath: key)[.posixPermissions] as? Int
    #expect(mode == 0o600)
    let keys = try String(contentsOfFile: system.home.file("pki/token-keys.pem"), encoding: .utf8)
    let second = try await token(system, name: "mei.lin", role: "agent")
    #expect(first.text.split(separator: ".")[0] == second.text.split(separator: ".")[0])
    #expect(first.text != second.text)
    // Another key is added to those that are known.
    try FileManager.default.removeItem(atPath: key)
    _ = try await token(system, name: "mei.lin", role: "agent")
    let more = try String(contentsOfFile: system.home.file("pki/token-keys.pem"), encoding: .utf8)
    #expect(more.hasPrefix(keys) && more.components(separatedBy: "kid: ").count == 3)
    let listed = try await system.mainstay(["certs", "list"])
    #expect(listed.code == 0 && !listed.output.contains("token"))
  }

  @Test func wrongUsageSaysWhatToDo() async throws {
    let system = try RunningSystem()
    for (arguments, reason) in [
      (["--name", "a b", "--role", "agent"], "must be 1 to 64 letters"),
      (["--name", "a", "--role", "service"], "services are known by their certificates"),
      (["--name", "a", "--role", "agent", "--valid", "1h"], "--valid must be 1s to 300s"),
    ] {
      let result = try await system.mainstay(["certs", "token"] + arguments)
      #expect(result.code == 2 && result.errors.contains(reason), "\(result.errors)")
    }
    let file = try system.home.write("no-token", "two words")
    let result = try await system.mainstay(["call", "x/Y", "--token-file", file])
    #expect(result.code == 2 && result.errors.contains("must hold one token") && !result.errors.contains("two words"))
  }

  private func token(_ system: RunningSystem, name: String, role: String) async throws -> (text: String, file: String) {
    let made = try await system.mainstay(["certs", "token", "--name", name, "--role", role])
    try #require(made.code == 0, "\(made.errors)")
    #expect(made.errors.isEmpty)
    return (made.output.trimmingCharacters(in: .newlines), try system.home.write("\(name)-token", made.output))
  }
}
