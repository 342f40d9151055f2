import Foundation
import MainstayTesting
import Testing

/// gRPC's own interop tests, which scripts/fetch-interop.sh brings: nothing of them is ours but the certificate's place.
@Suite("gRPC's own interop tests", .timeLimit(.minutes(10)))
struct OfficialInteropTests {
  static let cases = [
    "empty_unary", "large_unary", "client_streaming", "server_streaming", "ping_pong", "empty_stream",
    "cancel_after_begin", "cancel_after_first_response", "status_code_and_message", "special_status_message",
    "unimplemented_method", "unimplemented_service", "custom_metadata", "timeout_on_sleeping_server",
  ]
  private static let suite = "\(Python.repository)/.build/interop"
  private static let isThere = FileManager.default.fileExists(atPath: "\(suite)/complete")
  /// Without the suite the tests are skipped, but not where they must have it.
  private static let isWanted = isThere || ProcessInfo.processInfo.environment["CI"] == "true"
  private static let script = "\(Python.repository)/Tests/RPC/interop_suite.py"

  @Test(
    "Its Python client passes all 14 cases against our server",
    .enabled(if: isWanted, "the suite is not in .build/interop; run scripts/fetch-interop.sh"),
    .enabled(if: InteropServer.isBuilt, "mainstay-interop is not built"))
  func theirClient() async throws {
    let interpreter = try await requireSuite()
    let folder = try TemporaryFolder()
    let certificate = try folder.write("server.pem", try credential("server1.pem"))
    let key = try folder.write("server-key.pem", try credential("server1.key"))
    try await InteropServer(certificate: certificate, key: key).use { server in
      let result = try await Program.run(
        interpreter, [Self.script, Self.suite, "client", "\(server.port)"] + Self.cases)
      #expect(result.code == 0, "\(result.output) \(result.errors)")
      #expect(passed(result.output) == Self.cases)
    }
  }

  @Test(
    "Our client passes all 14 cases against its Python server",
    .enabled(if: isWanted, "the suite is not in .build/interop; run scripts/fetch-interop.sh"),
    .enabled(if: InteropServer.isBuilt, "mainstay-interop is not built"))
  func theirServer() async throws {
    let interpreter = try await requireSuite()
    let server = try Program.Running(interpreter, [Self.script, Self.suite, "server"])
    defer { server.signal(SIGKILL) }
    #expect(try await eventually { server.output.hasSuffix("\n") })
    let result = try await Program.run(
      "mainstay-interop",
      ["client", "--host", "127.0.0.1", "--port", "\(server.output.dropLast())"]
        + ["--ca", "\(Self.suite)/credentials/ca.pem", "--server-name", "foo.test.google.fr"]
        + Self.cases.flatMap { ["--case", $0] })
    #expect(result.code == 0, "\(result.output) \(result.errors)")
    #expect(passed(result.output) == Self.cases)
  }

  @Test(
    "Its Python client passes all 14 cases through the gateway, and ours every case",
    .enabled(if: isWanted, "the suite is not in .build/interop; run scripts/fetch-interop.sh"),
    .enabled(if: InteropServer.isBuilt && Program.exists("mainstay-gateway"), "the programs are not built"))
  func throughTheGateway() async throws {
    let interpreter = try await requireSuite()
    let authority = try TestAuthority()
    try await InteropServer(authority).use { server in
      let folder = authority.folder
      // The door has the suite's certificate, and knows the server's authority too.
      try folder.write("door.pem", try credential("server1.pem"))
      try folder.write("door-key.pem", try credential("server1.key"))
      let own = try String(contentsOfFile: authority.certificatePath, encoding: .utf8)
      try folder.write("both.pem", try credential("ca.pem") + "\n" + own)
      let port = try freePort()
      let file = try folder.write(
        "gateway.yaml",
        """
        listen: 127.0.0.1:\(port)
        tls: {certificate: door.pem, private_key: door-key.pem, authority: both.pem, client_verification: optional}
        upstreams: {interop: "127.0.0.1:\(server.port)"}
        routes: {grpc.testing: {upstream: interop, access: public}}
        """)
      let gateway = try Program.Running("mainstay-gateway", ["--config", file])
      defer { gateway.signal(SIGKILL) }
      #expect(try await eventually { try await answers(port) })
      let theirs = try await Program.run(interpreter, [Self.script, Self.suite, "client", "\(port)"] + Self.cases)
      #expect(passed(theirs.output) == Self.cases, "\(theirs.output) \(theirs.errors)")
      let ours = try await Program.run(
        "mainstay-interop",
        ["client", "--port", "\(port)", "--ca", "\(Self.suite)/credentials/ca.pem"]
          + ["--server-name", "foo.test.google.fr", "--case", "all"])
      #expect(passed(ours.output).count == 18, "\(ours.output) \(ours.errors)")
    }
  }

  @Test(
    "Our client passes every case against our server, those of compression too",
    .enabled(if: InteropServer.isBuilt, "mainstay-interop is not built"))
  func both() async throws {
    let authority = try TestAuthority()
    try await InteropServer(authority).use { server in
      let result = try await Program.run(
        "mainstay-interop", ["client", "--port", "\(server.port)", "--ca", authority.certificatePath, "--case", "all"])
      #expect(result.code == 0, "\(result.output) \(result.errors)")
      #expect(passed(result.output).count == 18)
    }
  }

  @Test(
    "curl gets a page by GET and POST of /, and is told 404 or 415 elsewhere",
    .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/curl"), "curl is not installed"),
    .enabled(if: InteropServer.isBuilt, "mainstay-interop is not built"))
  func page() async throws {
    let authority = try TestAuthority()
    try await InteropServer(authority).use { server in
      for (path, arguments, expected) in [
        ("", [], "200 49"), ("", ["--data", "anything"], "200 49"), ("", ["-X", "PUT"], "405 0"),
        ("else", [], "404 0"), ("else", ["--data", "{}", "--header", "content-type: application/json"], "415 0"),
      ] {
        let page = "https://127.0.0.1:\(server.port)/\(path)"
        let result = try await Program.run(
          "/usr/bin/curl",
          ["--silent", "--http2", "--cacert", authority.certificatePath, "--output", authority.folder.file("page")]
            + ["--write-out", "%{http_code} %{size_download}", page] + arguments)
        #expect(result.output == expected, "\(path) \(arguments)")
      }
    }
  }

  /// Whether an empty call is answered there.
  private func answers(_ port: Int) async throws -> Bool {
    let result = try await Program.run(
      "mainstay-interop",
      ["client", "--port", "\(port)", "--ca", "\(Self.suite)/credentials/ca.pem"]
        + ["--server-name", "foo.test.google.fr", "--case", "empty_unary"])
    return result.code == 0
  }

  private func requireSuite() async throws -> String {
    try #require(Self.isThere, "the suite is not in .build/interop; run scripts/fetch-interop.sh")
    return try #require(
      try await Python.interpreter(with: ForeignPeerTests.modules),
      "PyPI grpcio is not installed; run make .venv/bin/python")
  }

  private func credential(_ name: String) throws -> String {
    try String(contentsOfFile: "\(Self.suite)/credentials/\(name)", encoding: .utf8)
  }

  private func passed(_ output: String) -> [String] {
    output.split(separator: "\n").filter { $0.hasPrefix("passed ") }.map { String($0.dropFirst(7)) }
  }
}
