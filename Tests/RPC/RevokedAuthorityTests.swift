import MainstayTesting
import Testing

@testable import RPCTransport

@Suite("Certificates of an authority that stands below another one", .timeLimit(.minutes(10)))
struct RevokedAuthorityTests {
  @Test("An authority that is revoked takes its clients along, with a session and without")
  func client() async throws {
    let root = try TestAuthority()
    let branch = try root.subordinate("Branch")
    try branch.revoke([], others: root.revocationList([]))
    try await withScene(branch, client: unlisted("client", hosts: [])) { scene async throws in
      let client = try scene.client()
      #expect(await client.connect() == "full")
      #expect(await client.connect() == "resumed")
      try branch.revoke([], others: root.revocationList([branch.own]))
      scene.server.reloadCertificates()
      let refusal = "the peer refuses our certificate: sslv3 alert certificate revoked"
      #expect(await client.connect().contains(refusal))
      #expect(await (try scene.client()).connect().contains(refusal))
      try branch.revoke([scene.clientFiles], others: root.revocationList([]))
      scene.server.reloadCertificates()
      #expect(await (try scene.client()).connect().contains(refusal))
    }
  }

  @Test("An authority that is revoked takes its servers along")
  func server() async throws {
    let root = try TestAuthority()
    let branch = try root.subordinate("Branch")
    try branch.revoke([], others: root.revocationList([]))
    try await withScene(branch, server: unlisted("server", hosts: ["127.0.0.1"])) { scene async throws in
      let client = try scene.client()
      #expect(await client.connect() == "full")
      #expect(await client.connect() == "resumed")
      try branch.revoke([], others: root.revocationList([branch.own]))
      client.certificates.reload()
      let refusal = "the peer's certificate is not accepted: certificate revoked"
      #expect(await client.connect() == refusal)
      #expect(await (try scene.client()).connect() == refusal)
    }
  }

  @Test("Each authority between a certificate and the root needs its list, and its list needs its certificate")
  func incomplete() async throws {
    let root = try TestAuthority()
    let branch = try root.subordinate("Branch")
    try branch.revoke([])
    try await withScene(branch, server: unlisted("server", hosts: ["127.0.0.1"])) { scene async throws in
      #expect(await (try scene.client()).connect().contains("unable to get certificate CRL"))
      try branch.revoke([], others: root.revocationList([]))
      #expect(await (try scene.client()).connect() == "full")
    }
    var files = try branch.issue("server", role: "service")
    files.revocationListPath = branch.folder.file("revoked.pem")
    files.authorityPath = root.certificatePath
    let error = #expect(throws: TransportError.self) { try TLSContext(files, role: .server) }
    #expect(error?.description.contains("or add its authority's certificate there") == true)
  }
}
