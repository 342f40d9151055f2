import MainstayTesting
import Testing

@testable import RPCTransport

@Suite("Connections that stand when a certificate is revoked", .timeLimit(.minutes(10)))
struct LiveRevocationTests {
  @Test("A client that is revoked loses its connection, also one that resumed a session, and nobody else does")
  func client() async throws {
    try await withScene { scene async throws in
      let client = try scene.client()
      let other = try ResumingClient(
        port: scene.server.port, files: listed("other", hosts: [])(scene.authority), loop: scene.loop)
      #expect(await other.connect() == "full")
      for session in ["full", "resumed"] {
        #expect(await client.connect() == session)
        #expect(await eventually { scene.server.connectionCount == 2 })
        try scene.authority.revoke([scene.clientFiles])
        scene.server.reloadCertificates()
        #expect(await eventually { scene.server.connectionCount == 1 })
        #expect(await eventually { !client.isConnected })
        #expect(other.isConnected)
        try scene.authority.revoke([])
        scene.server.reloadCertificates()
      }
    }
  }

  @Test("A server that is revoked loses its clients' connections")
  func server() async throws {
    try await withScene { scene async throws in
      let client = try scene.client()
      #expect(await client.connect() == "full")
      #expect(await client.connect() == "resumed")
      client.certificates.reload()
      try scene.authority.revoke([scene.serverFiles])
      #expect(client.isConnected)
      client.certificates.reload()
      #expect(await eventually { !client.isConnected })
      #expect(await eventually { scene.server.connectionCount == 0 })
    }
  }

  @Test("An authority that is revoked takes the connections of its clients along")
  func authority() async throws {
    let root = try TestAuthority()
    let branch = try root.subordinate("Branch")
    try branch.revoke([], others: root.revocationList([]))
    try await withScene(branch, client: unlisted("client", hosts: [])) { scene async throws in
      let client = try scene.client()
      #expect(await client.connect() == "full")
      try branch.revoke([], others: root.revocationList([branch.own]))
      scene.server.reloadCertificates()
      #expect(await eventually { scene.server.connectionCount == 0 })
    }
  }
}
