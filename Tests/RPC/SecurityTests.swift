import Glibc
import Logging
import MainstayTesting
import RPCCore
import RPCTransport
import Testing

@Suite("TLS with certificates of both ends", .timeLimit(.minutes(10)))
struct SecurityTests {
  /// A server on a free port; the body gets its port and a function that makes one call with a client's files.
  private func withServer<Value: Sendable>(
    _ verification: TLSConfiguration.ClientVerification = .required,
    _ body: nonisolated(nonsending) @Sendable (SecureServer) async throws -> Value
  ) async throws -> Value {
    let group = try EventLoopGroup(count: 1)
    defer { group.stop() }
    let identities = try TestIdentities()
    let acceptor = GRPCAcceptor(router: Probe(loops: group).router, logger: Logger(label: "test"))
    let server = try await Server(
      .init(host: "127.0.0.1", port: 0, tls: identities.server(verification)), acceptor: acceptor, group: group)
    let secure = SecureServer(identities: identities, port: server.port, loop: group.first)
    let result = try await body(secure)
    await server.shutdown(grace: .zero)
    return result
  }

  @Test("A client with a certificate of the authority is let in")
  func accepted() async throws {
    try await withServer { server async throws in
      #expect(await server.call(try server.identities.client()) == nil)
    }
  }

  @Test("A client with a certificate of another authority is refused with a clear message")
  func stranger() async throws {
    try await withServer { server async throws in
      let error = await server.call(try server.identities.stranger())
      #expect(error?.code == .unavailable)
      #expect(error?.message.contains("the peer refuses our certificate") == true, "\(error as Any)")
    }
  }

  @Test("A client without a certificate is refused with a clear message, unless it needs none")
  func anonymous() async throws {
    try await withServer { server async throws in
      let error = await server.call(server.identities.ours.anonymous)
      #expect(error?.code == .unavailable)
      #expect(error?.message.contains("the peer refuses our certificate") == true, "\(error as Any)")
    }
    for verification in [TLSConfiguration.ClientVerification.optional, .none] {
      try await withServer(verification) { server async throws in
        #expect(await server.call(server.identities.ours.anonymous) == nil)
      }
    }
    try await withServer(.optional) { server async throws in
      #expect(await server.call(try server.identities.stranger())?.code == .unavailable)
    }
  }

  @Test("A server with another name, or of another authority, is refused with a clear message")
  func wrongServer() async throws {
    try await withServer { server async throws in
      let name = await server.call(try server.identities.client(), serverName: "customer.example")
      #expect(name?.code == .unavailable)
      #expect(name?.message.contains("hostname mismatch") == true, "\(name as Any)")
      let address = await server.call(try server.identities.client(), serverName: "127.0.0.2")
      #expect(address?.message.contains("IP address mismatch") == true, "\(address as Any)")
      #expect(await server.call(try server.identities.client(), serverName: "localhost") == nil)
      var configuration = try server.identities.client()
      configuration.authorityPath = server.identities.other.certificatePath
      let authority = await server.call(configuration)
      #expect(authority?.code == .unavailable)
      #expect(authority?.message.contains("the peer's certificate is not accepted") == true, "\(authority as Any)")
    }
  }

  @Test("TLS 1.2, other protocols than HTTP/2, and bytes that are no handshake are refused; others go on")
  func foreignHandshakes() async throws {
    try await withServer { server async throws in
      #expect(try await server.python("tls1.3", "h2").hasPrefix("protocol=TLSv1.3 alpn=h2 bytes=1"))
      #expect(try await server.python("tls1.2", "h2").contains("refused"))
      #expect(try await server.python("tls1.3", "http/1.1").contains("refused"))
      #expect(try await server.python("tls1.3", "-", "garbage").contains("closed"))
      #expect(await server.call(try server.identities.client()) == nil)
    }
  }

  @Test("A private key that others can read is refused; so are missing, wrong and lonely files")
  func files() throws {
    let identities = try TestIdentities()
    let good = try identities.server()
    func refusal(_ change: (inout TLSConfiguration) -> Void) -> String {
      var configuration = good
      change(&configuration)
      do {
        _ = try TLSContext(configuration, role: .server)
        return "accepted"
      } catch {
        return error.description
      }
    }
    let key = try #require(good.privateKeyPath)
    chmod(key, 0o644)
    #expect(refusal { _ in }.contains("can be read by others"))
    chmod(key, 0o600)
    #expect(refusal { _ in } == "accepted")
    #expect(refusal { $0.privateKeyPath = "/nowhere/key.pem" }.contains("cannot read /nowhere/key.pem"))
    #expect(refusal { $0.authorityPath = key }.contains("holds no certificate authority"))
    #expect(refusal { $0.certificateChainPath = key }.contains("holds no certificate"))
    #expect(refusal { $0.privateKeyPath = nil }.contains("both needed"))
    let other = try identities.client().privateKeyPath
    #expect(refusal { $0.privateKeyPath = other }.contains("is not the private key"))
  }
}

private struct SecureServer: Sendable {
  let identities: TestIdentities
  let port: Int
  let loop: EventLoop

  /// One call over a fresh connection; nil if it was answered.
  func call(_ tls: TLSConfiguration, serverName: String? = nil) async -> RPCError? {
    await status {
      let context = try TLSContext(tls, role: .client)
      try await loop.run {
        let channel = ClientChannel(host: "127.0.0.1", port: port, tls: context, loop: loop, serverName: serverName)
        defer { channel.close() }
        _ = try await channel.unary(Probe.echo, framed: framed("hello"), .init())
      }
    }
  }

  func python(_ arguments: String...) async throws -> String {
    let tls = try identities.client()
    let files = [tls.authorityPath, tls.certificateChainPath ?? "", tls.privateKeyPath ?? ""]
    return try #require(
      try await Python.run(
        script: "Tests/RPC/tls_client.py", arguments: ["\(port)"] + files + arguments, modules: ["ssl"])
    ).output
  }
}
