import API
import Core
import Foundation
import FoundationNetworking
import Logging
import MainstayTesting
import RPCCore
import RPCTransport
import ServiceRuntime
import Testing

/// The real program of the gateway, which takes tokens, before a service of the test's that says who calls.
struct TokenScene {
  let tokens: ForeignTokens
  let authority: TestAuthority
  let group: EventLoopGroup
  let gateway: Program.Running
  let port: Int
  let operators: Int
  private let service: Server
  /// What the service notes of calls that hang.
  let notes: AsyncStream<String>

  /// `verifies`: whether the service has the keys too. `revokes`: whether the gateway has a list of revoked certificates.
  /// `asksForSecondFactor`: whether the service, and not the gateway, wants one.
  init(serviceVerifies verifies: Bool, revokes: Bool = false, asksForSecondFactor: Bool = false) async throws {
    tokens = try await ForeignTokens()
    authority = try TestAuthority()
    group = try EventLoopGroup(count: 1)
    let (notes, noting) = AsyncStream<String>.makeStream()
    self.notes = notes
    let folder = authority.folder
    _ = try authority.issue("gateway", role: "service")
    try folder.write("keys.pem", String(contentsOfFile: tokens.folder.file("keys.pem"), encoding: .utf8))
    if revokes { try authority.revoke([]) }
    let files = "certificate: gateway.pem, private_key: gateway-key.pem, authority: ca.pem"
    let rules = "tokens: {keys: keys.pem, issuer: \"\(ForeignTokens.issuer)\", audience: \(ForeignTokens.audience)}"
    let own = try folder.write(
      "service.yaml", "listen: 127.0.0.1:0\ntls: {\(files)}\n\(verifies ? rules : "log_level: info")\n")
    let environment = ServiceEnvironment(
      configuration: try Configuration(arguments: ["--config", own], environment: [:], keys: ConfigurationKey.common),
      group: group, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, clock: SystemClock(),
      random: SystemRandom(), access: .checked)
    let router = try InfrastructureServices.router(
      WhoAmI(loops: group, notes: noting).methodBindings.map { asksForSecondFactor ? $0.withSecondFactor : $0 },
      health: .serving([]), access: .checked,
      identification: environment.identification())
    service = try await Server(
      .init(host: "127.0.0.1", port: 0, tls: authority.issue("customer", role: "service", verification: .optional)),
      acceptor: GRPCAcceptor(router: router, logger: environment.logger), group: group)
    (port, operators) = (try freePort(), try freePort())
    let file = try folder.write(
      "gateway.yaml",
      """
      listen: 127.0.0.1:\(port)
      tls: {\(files), client_verification: optional\(revokes ? ", revocation_list: revoked.pem" : "")}
      operators: {listen: "127.0.0.1:\(operators)"}
      upstreams: {customer: "127.0.0.1:\(service.port)"}
      \(rules)
      """)
    gateway = try Program.Running("mainstay-gateway", ["--config", file])
  }

  func stop() async {
    gateway.signal(SIGKILL)
    await service.shutdown(grace: .zero)
    group.stop()
    withExtendedLifetime(notes) {}
  }

  /// Who the service says is calling, or the error.
  func actor(
    _ authorization: [String], as role: String? = nil, name: String? = nil, metadata: [(String, String)] = [],
    direct: Bool = false
  ) async throws -> Result<String, RPCError> {
    let tls =
      try role.map { try authority.issue(name ?? "caller-\($0)", role: $0, hosts: []) } ?? authority.anonymous
    let context = try TLSContext(tls, role: .client)
    let (port, group) = (direct ? service.port : port, group)
    return try await group.first.run {
      let channel = ClientChannel(host: "127.0.0.1", port: port, tls: context, loop: group.first)
      defer { channel.close() }
      var options = CallOptions(timeout: .seconds(60))
      options.waitForReady = true
      options.metadata.add("mainstay-service", "customer")
      for value in authorization { options.metadata.add("authorization", value) }
      for (name, value) in metadata { options.metadata.add(name, value) }
      do {
        let replies = try await EventServiceClient(channel: channel).subscribe(SubscribeRequest(), options: options)
        return .success(try await replies.next()?.events.first?.actor ?? "nobody")
      } catch { return .failure(RPCError(converting: error)) }
    }
  }

  func refused() async throws -> [String: Int] {
    let url = try #require(URL(string: "http://127.0.0.1:\(operators)/metrics"))
    let (data, _) = try await URLSession.shared.data(from: url)
    var counts: [String: Int] = [:]
    for line in String(decoding: data, as: UTF8.self).split(separator: "\n") {
      let parts = line.split(separator: "\"")
      if line.hasPrefix("mainstay_access_refused_total{reason="), parts.count == 3 {
        counts[String(parts[1])] = Int(parts[2].dropFirst(2))
      }
    }
    return counts
  }
}

extension MethodBinding {
  fileprivate var withSecondFactor: MethodBinding {
    let permission = MethodPermission(roles: ["anyone"], dataClass: .internal, secondFactor: true, twoPerson: false)
    return MethodBinding(
      MethodDescriptor(service: method.service, name: method.name, kind: method.kind, permission: permission), handle)
  }
}

extension Result where Success == String, Failure == RPCError {
  fileprivate var refusal: String {
    switch self {
    case .success(let actor): return "OK \(actor)"
    case .failure(let error):
      let info = error.details.first { $0.typeName == "google.rpc.ErrorInfo" }
      let reason = info.flatMap { try? RPCErrorInfo(serialized: $0.value).reason } ?? "-"
      return "\(error.code) \(reason)"
    }
  }
}

@Suite(
  "Calls with a token", .timeLimit(.minutes(10)),
  .enabled(if: Program.exists("mainstay-gateway"), "the programs are not built: make release"))
struct TokenCallTests {
  @Test("The service sees the token's owner, with and without keys of its own, and whatever certificate is shown")
  func owner() async throws {
    for verifies in [true, false] {
      let scene = try await TokenScene(serviceVerifies: verifies)
      let tokens = scene.tokens
      let good = "OK mei.lin administrator gateway"
      #expect(try await scene.actor([tokens.header("good")]).refusal == good)
      #expect(try await scene.actor([tokens.header("good")]).refusal == good)
      #expect(try await scene.actor([tokens.header("auditor")]).refusal == "OK an.auditor auditor gateway")
      // The certificate of an administrator adds nothing to a token without roles, and an agent's takes nothing away.
      #expect(
        try await scene.actor([tokens.header("no_roles")], as: "administrator").refusal
          == "PERMISSION_DENIED ROLE_MISSING")
      #expect(try await scene.actor([tokens.header("good")], as: "agent").refusal == good)
      let forged = [("mainstay-caller", "root"), ("mainstay-caller-role", "administrator")]
      #expect(
        try await scene.actor([tokens.header("auditor")], metadata: forged).refusal == "OK an.auditor auditor gateway")
      #expect(
        try await scene.actor([], as: "auditor", metadata: forged).refusal == "OK caller-auditor auditor gateway")
      #expect(try await scene.actor([], metadata: forged).refusal == "UNAUTHENTICATED NO_CALLER")
      await scene.stop()
    }
  }

  @Test("A service that is called by another one on behalf of a user sees both")
  func behalf() async throws {
    let scene = try await TokenScene(serviceVerifies: true)
    let header = scene.tokens.header("auditor")
    #expect(
      try await scene.actor([header], as: "service", direct: true).refusal == "OK an.auditor auditor caller-service")
    #expect(try await scene.actor([header], direct: true).refusal == "OK an.auditor auditor -")
    let forged = [("mainstay-caller", "root"), ("mainstay-caller-role", "administrator")]
    #expect(
      try await scene.actor([header], as: "service", metadata: forged, direct: true).refusal
        == "OK an.auditor auditor caller-service")
    await scene.stop()
    let without = try await TokenScene(serviceVerifies: false)
    #expect(
      try await without.actor([without.tokens.header("good")], as: "service", direct: true).refusal
        == "UNAUTHENTICATED TOKENS_NOT_ACCEPTED")
    await without.stop()
  }

  @Test("What is refused is refused with its reason, counted, and logged without the token")
  func refused() async throws {
    let scene = try await TokenScene(serviceVerifies: true)
    let expected = [
      ("expired", "TOKEN_EXPIRED"), ("not_before", "TOKEN_NOT_YET_VALID"), ("alg_none", "TOKEN_ALGORITHM"),
      ("hs256_pem", "TOKEN_ALGORITHM"), ("oversized", "TOKEN_TOO_LONG"), ("unknown_kid", "TOKEN_KEY_UNKNOWN"),
      ("tampered", "TOKEN_SIGNATURE"), ("forged", "TOKEN_SIGNATURE"), ("issuer", "TOKEN_ISSUER"),
      ("audience", "TOKEN_AUDIENCE"), ("too_long_life", "TOKEN_LIFETIME"), ("deep", "TOKEN_MALFORMED"),
      ("role_service", "TOKEN_CLAIMS"),
    ]
    for (name, reason) in expected {
      // The certificate of an administrator does not make up for it.
      let result = try await scene.actor([scene.tokens.header(name)], as: "administrator")
      #expect(result.refusal == "UNAUTHENTICATED \(reason)", "\(name)")
      if case .failure(let error) = result { #expect(!scene.tokens.isTold(name, in: "\(error)")) }
    }
    let twice = [scene.tokens.header("good"), scene.tokens.header("auditor")]
    #expect(try await scene.actor(twice).refusal == "UNAUTHENTICATED TOKEN_MALFORMED")
    #expect(try await scene.actor([]).refusal == "UNAUTHENTICATED NO_CALLER")
    let counts = try await scene.refused()
    for (_, reason) in expected {
      let all = expected.count { $0.1 == reason } + (reason == "TOKEN_MALFORMED" ? 1 : 0)
      #expect(counts[reason.lowercased()] == all, "\(reason)")
    }
    #expect(counts["no_caller"] == 1)
    let log = scene.gateway.errors
    for (name, reason) in expected {
      #expect(log.contains("\"reason\":\"\(reason.lowercased())\""), "\(name)")
      #expect(!scene.tokens.isTold(name, in: log), "\(name)")
    }
    #expect(log.contains("\"method\":\"mainstay.platform.v1.EventService/Subscribe\""))
    await scene.stop()
  }

  @Test("Who tries again and again fills no log")
  func bounded() async throws {
    let scene = try await TokenScene(serviceVerifies: true)
    for _ in 0..<50 { _ = try await scene.actor([scene.tokens.header("alg_none")]) }
    #expect(try await scene.refused()["token_algorithm"] == 50)
    let lines = scene.gateway.errors.split(separator: "\n").count { $0.contains("token_algorithm") }
    #expect((20...40).contains(lines), "\(lines)")
    await scene.stop()
  }

  @Test("A second factor is what a token says, and neither a certificate nor, for who has the keys, the gateway")
  func secondFactor() async throws {
    for verifies in [true, false] {
      let scene = try await TokenScene(serviceVerifies: verifies, asksForSecondFactor: true)
      let missing = "PERMISSION_DENIED SECOND_FACTOR_MISSING"
      #expect(try await scene.actor([], as: "administrator").refusal == missing)
      #expect(try await scene.actor([scene.tokens.header("good")], as: "administrator").refusal == missing)
      #expect(
        try await scene.actor([scene.tokens.header("second_factor")]).refusal == "OK mei.lin administrator gateway")
      let said = [
        ("mainstay-caller", "root"), ("mainstay-caller-role", "administrator"),
        ("mainstay-caller-second-factor", "yes"),
      ]
      #expect(try await scene.actor([], as: "administrator", metadata: said).refusal == missing)
      let byGateway = try await scene.actor([], as: "service", name: "gateway", metadata: said, direct: true)
      #expect(byGateway.refusal == (verifies ? missing : "OK root administrator gateway"))
      await scene.stop()
    }
  }

  @Test("JSON and gRPC-Web take the same header")
  func otherProtocols() async throws {
    let scene = try await TokenScene(serviceVerifies: true)
    func curl(_ path: String, _ type: String, _ body: String, _ token: String?) async throws -> String {
      let file = try scene.authority.folder.write("body", body)
      var arguments = [
        "--silent", "--http2", "--cacert", scene.authority.certificatePath, "--header", "content-type: \(type)",
        "--header", "mainstay-service: customer", "--data-binary", "@\(file)", "--write-out", " %{http_code}",
        "--retry", "20", "--retry-connrefused", "--retry-delay", "1", "--output", "-",
      ]
      if let token { arguments += ["--header", "authorization: \(scene.tokens.header(token))"] }
      // 92: curl 7.88 lost an answer that came before it had sent the body.
      for _ in 0..<20 {
        let done = try await Program.run("/usr/bin/curl", arguments + ["https://127.0.0.1:\(scene.port)/\(path)"])
        if done.code == 0 { return done.output }
        #expect(done.code == 92, "\(done.errors)")
      }
      return "no answer"
    }
    let list = "mainstay.customer.v1.CustomerService/ListCustomers"
    let without = try await curl(list, "application/json", "{}", nil)
    #expect(without.contains(#""code":"unauthenticated""#) && without.hasSuffix(" 401"), "\(without)")
    let expired = try await curl(list, "application/json", "{}", "expired")
    #expect(expired.contains("the token has expired") && expired.hasSuffix(" 401"), "\(expired)")
    // Let in, and unknown to the service of this test.
    let good = try await curl(list, "application/json", "{}", "good")
    #expect(good.contains(#""code":"unimplemented""#), "\(good)")
    let stream = "mainstay.platform.v1.EventService/Subscribe"
    let web = try await curl(stream, "application/grpc-web-text", "AAAAAAA=", "auditor")
    #expect(decoded(web).contains("an.auditor auditor gateway"), "\(web)")
    let forged = try await curl(stream, "application/grpc-web-text", "AAAAAAA=", "forged")
    #expect(forged.contains(" 200") && !decoded(forged).contains("auditor"), "\(forged)")
    await scene.stop()
  }

  /// What stands in pieces of base64, each with its padding, before the status that curl has added.
  private func decoded(_ output: String) -> String {
    let body = Array((output.split(separator: " ").first ?? "").utf8)
    var (bytes, piece) = ([UInt8](), [UInt8]())
    for start in stride(from: 0, to: body.count, by: 4) {
      piece += body[start..<min(start + 4, body.count)]
      guard piece.last == UInt8(ascii: "=") || start + 4 >= body.count else { continue }
      bytes += Base64.decode(String(decoding: piece, as: UTF8.self)) ?? []
      piece = []
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  @Test("Keys are exchanged while the gateway runs; a file that cannot be used changes nothing")
  func rotation() async throws {
    let scene = try await TokenScene(serviceVerifies: false)
    let (tokens, folder) = (scene.tokens, scene.authority.folder)
    let texts = try ["keys.pem", "other.pem"].map {
      try String(contentsOfFile: tokens.folder.file($0), encoding: .utf8)
    }
    func isKnown(_ name: String) async throws -> Bool {
      if case .success = try await scene.actor([tokens.header(name)]) { return true }
      return false
    }
    #expect(try await isKnown("good"))
    #expect(try await !isKnown("by_second_key"))
    try folder.write("keys.pem", texts[0] + texts[1])
    #expect(try await eventually { try await isKnown("by_second_key") })
    #expect(try await isKnown("good"))
    try folder.write("keys.pem", "kid: first\n-----BEGIN PUBLIC KEY-----\nhalf of a k")
    #expect(await eventually { scene.gateway.errors.contains("the keys of tokens cannot be used") })
    #expect(try await isKnown("by_second_key"))
    try folder.write("keys.pem", texts[1])
    scene.gateway.signal(SIGHUP)
    #expect(try await eventually { try await !isKnown("good") })
    #expect(try await isKnown("by_second_key"))
    await scene.stop()
  }
}
