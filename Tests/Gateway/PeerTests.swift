import Foundation
import MainstayTesting
import Testing

/// What others than us see of the gateway, by their own programs.
@Suite(
  .serialized, .timeLimit(.minutes(10)),
  .enabled(if: Program.exists("mainstay-gateway") && Program.exists("mainstay-customer")),
  .enabled("python3 with the packages of Tests/requirements.txt is needed") {
    try await Python.interpreter(with: PeerSite.modules) != nil
  })
struct PeerTests {
  private func withSite(settings: String = "", _ body: (PeerSite) async throws -> Void) async throws {
    let site = try await PeerSite(settings: settings)
    do { try await body(site) } catch {
      try await site.stop()
      throw error
    }
    try await site.stop()
  }

  @Test func `The same call has the same answer and the same details by every peer and protocol`() async throws {
    try await withSite { site in
      let result = try #require(
        try await site.run("same_answers.py", ["\(site.pagePort)", site.folder.file("token-key.pem")]))
      print("same_answers.py:", result.output)
      #expect(result.code == 0, "\(result.output)\n\(result.errors)")
    }
  }

  @Test func `Connect calls are as its protocol has them, to the byte`() async throws {
    try await withSite { site in
      try await expectClean(site.run("connect_exact.py", ["answers"]))
      site.signalInterop(SIGSTOP)
      try await expectClean(site.run("connect_exact.py", ["stopped"]))
      site.signalInterop(SIGCONT)
    }
  }

  @Test func `A body that comes slowly is waited for, and one that stops is cut off`() async throws {
    try await withSite(settings: "connections: {stall_seconds: 1}") { site in
      try await expectClean(site.run("connect_exact.py", ["slow"]))
    }
  }

  private func expectClean(_ result: Program.Result?) throws {
    let result = try #require(result)
    #expect(result.code == 0, "\(result.output)\n\(result.errors)")
  }
}
