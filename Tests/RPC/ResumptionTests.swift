import Core
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
      let tls = try scene.identities.client()
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
      try scene.identities.ours.revoke([scene.clientFiles])
      #expect(await client.connect().contains("the peer refuses our certificate: sslv3 alert certificate revoked"))
      #expect(await (try scene.client()).connect().contains("certificate revoked"))
    }
  }

  @Test("A server whose certificate is revoked between two connections is refused, with a session and without")
  func revokedServer() async throws {
    try await withScene { scene async throws in
      let client = try scene.client()
      #expect(await client.connect() == "full")
      try scene.identities.ours.revoke([scene.serverFiles])
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
      try scene.identities.ours.rewriteAuthority()
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
      try scene.identities.ours.folder.write("revoked.pem", "no list")
      #expect(await client.connect() == "resumed")
      let other = try String(contentsOfFile: scene.identities.other.revoke([]), encoding: .utf8)
      try scene.identities.ours.folder.write("revoked.pem", other)
      #expect(await client.connect() == "resumed")
    }
  }
}
