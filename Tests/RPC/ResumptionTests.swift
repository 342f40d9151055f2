import Core
import Glibc
import Logging
import MainstayTesting
import RPCCore
import Synchronization
import Testing

@testable import RPCTransport

@Suite("Sessions of TLS that are resumed, and certificates that are revoked", .timeLimit(.minutes(10)))
struct ResumptionTests {
  @Test("The second connection resumes the session of the first, and so does the third")
  func resumed() async throws {
    try await withScene { scene async throws in
      let client = try scene.client()
      #expect(await client.connect() == "full")
      #expect(await client.connect() == "resumed")
      #expect(await client.connect() == "resumed")
      let other = try scene.client()
      #expect(await other.connect() == "full")
    }
  }

  @Test("A client of another make resumes as well, for an hour at most")
  func foreign() async throws {
    try await withScene { scene async throws in
      let tls = scene.clientFiles
      let files = [tls.authorityPath, tls.certificateChainPath ?? "", tls.privateKeyPath ?? ""]
      let output = try #require(
        try await Python.run(
          script: "Tests/RPC/tls_client.py", arguments: ["\(scene.server.port)"] + files + ["tls1.3", "h2", "twice"],
          modules: ["ssl"])
      ).output
      #expect(output.contains("resumed=True bytes=1 lifetime=3600"), "\(output)")
    }
  }

  @Test("A client whose certificate is revoked between two connections is refused, with a session and without")
  func revokedClient() async throws {
    try await withScene { scene async throws in
      let client = try scene.client()
      #expect(await client.connect() == "full")
      #expect(await client.connect() == "resumed")
      try scene.authority.revoke([scene.clientFiles])
      scene.server.reloadCertificates()
      #expect(await client.connect().contains("the peer refuses our certificate: sslv3 alert certificate revoked"))
      #expect(await (try scene.client()).connect().contains("certificate revoked"))
    }
  }

  @Test("A server whose certificate is revoked between two connections is refused, with a session and without")
  func revokedServer() async throws {
    try await withScene { scene async throws in
      let client = try scene.client()
      #expect(await client.connect() == "full")
      try scene.authority.revoke([scene.serverFiles])
      client.certificates.reload()
      #expect(await client.connect() == "the peer's certificate is not accepted: certificate revoked")
      #expect(await (try scene.client()).connect() == "the peer's certificate is not accepted: certificate revoked")
    }
  }

  @Test("A client whose certificate expires between two connections is refused, with a session and without")
  func expired() async throws {
    try await withScene { scene async throws in
      let client = try scene.client()
      #expect(await client.connect() == "full")
      #expect(await client.connect() == "resumed")
      scene.clock.days.withLock { $0 = 1 }
      #expect(await client.connect().contains("certificate expired"))
      #expect(await (try scene.client()).connect().contains("certificate expired"))
    }
  }

  @Test("A server whose certificate expires between two connections is refused, with a session and without")
  func expiredServer() async throws {
    try await withScene(client: unlisted("client", hosts: [])) { scene async throws in
      let client = try scene.client()
      #expect(await client.connect() == "full")
      #expect(await client.connect() == "resumed")
      scene.clientClock.days.withLock { $0 = 1 }
      let refusal = "the peer's certificate is not accepted: certificate has expired"
      #expect(await client.connect() == refusal)
      #expect(await (try scene.client()).connect() == refusal)
    }
  }

  @Test("A session is not resumed for another name than its server's, and is not tried again")
  func wrongName() async throws {
    try await withScene { scene async throws in
      let (context, session) = (try TLSContext(scene.clientFiles, role: .client), TLSSession())
      func connect(_ name: String) -> String {
        handshake(port: scene.server.port, context, serverName: name, session: session)
      }
      #expect(connect("127.0.0.1") == "full")
      #expect(connect("127.0.0.1") == "resumed")
      #expect(connect("customer.example") == "the peer's certificate is not accepted: hostname mismatch")
      #expect(connect("127.0.0.1") == "full")
    }
  }

  @Test("A client that has a new certificate begins a new session: the old one would show the old certificate")
  func renewedClient() async throws {
    try await withScene { scene async throws in
      let client = try scene.client()
      #expect(await client.connect() == "full")
      #expect(await client.connect() == "resumed")
      _ = try scene.authority.issue("client", role: "tester", hosts: [])
      client.certificates.reload()
      #expect(await client.connect() == "full")
      #expect(await client.connect() == "resumed")
    }
  }

  @Test(
    "Tickets of a process that has ended lead to a full handshake with the next one",
    .enabled(if: Program.exists("mainstay-interop"), "mainstay-interop is not built"))
  func restart() async throws {
    let authority = try TestAuthority()
    let (tls, port) = (try authority.issue("server", role: "service"), try freePort())
    func start() async throws -> Program.Running {
      let server = try Program.Running(
        "mainstay-interop",
        ["server", "--port", "\(port)", "--cert", tls.certificateChainPath ?? "", "--key", tls.privateKeyPath ?? ""])
      #expect(try await eventually { server.output.hasSuffix("\n") })
      return server
    }
    let (context, session) = (try TLSContext(authority.anonymous, role: .client), TLSSession())
    func connect() -> String { handshake(port: port, context, serverName: "127.0.0.1", session: session) }
    let first = try await start()
    #expect(connect() == "full")
    #expect(connect() == "resumed")
    first.signal(SIGKILL)
    _ = try await first.result()
    let second = try await start()
    defer { second.signal(SIGKILL) }
    #expect(connect() == "full")
    #expect(connect() == "resumed")
  }

  @Test(
    "Tickets outlive a reload of the same authority; keys of an hour ago, or of another server, mean a full handshake")
  func reload() async throws {
    try await withScene { scene async throws in
      let client = try scene.client()
      #expect(await client.connect() == "full")
      scene.server.reloadCertificates()
      #expect(await client.connect() == "resumed")
      scene.clock.hours.withLock { $0 = 1 }
      scene.server.reloadCertificates()
      #expect(await client.connect() == "full")
      #expect(await client.connect() == "resumed")
      try scene.authority.rewriteAuthority()
      scene.server.reloadCertificates()
      #expect(await client.connect() == "full")
    }
  }

  @Test("A list that is missing, empty or of the past is refused with what to do")
  func unusable() throws {
    let identities = try TestIdentities()
    var files = try identities.server()
    func refusal() -> String {
      do {
        _ = try TLSContext(files, role: .server)
        return "accepted"
      } catch {
        return error.description
      }
    }
    files.revocationListPath = "/nowhere/revoked.pem"
    #expect(refusal().contains("cannot read /nowhere/revoked.pem"))
    files.revocationListPath = files.certificateChainPath
    #expect(refusal().contains("holds no revocation list"))
    files.revocationListPath = try identities.ours.revoke([], days: 0)
    #expect(refusal().contains("has ended; get a new one"))
    files.revocationListPath = try identities.other.revoke([])
    #expect(refusal().contains("is not signed by an authority of"))
    files.revocationListPath = try identities.ours.revoke([])
    #expect(refusal() == "accepted")
  }

  @Test("A list that becomes unusable, or another authority's of the same name, changes nothing")
  func otherList() async throws {
    try await withScene { scene async throws in
      let client = try scene.client()
      #expect(await client.connect() == "full")
      for text in ["no list", try TestAuthority().revocationList([])] {
        try scene.authority.folder.write("revoked.pem", text)
        scene.server.reloadCertificates()
        client.certificates.reload()
        #expect(await client.connect() == "resumed")
      }
    }
  }
}
