import Foundation
import MainstayTesting

/// gRPC's test service, which everybody may call, and the customer service, which wants a token, as programs behind a gateway.
final class PeerSite: Sendable {
  let folder: TemporaryFolder
  let gatewayPort: Int
  /// Where a browser's page comes from: the one origin that may call.
  let pagePort: Int
  private let interop: Program.Running
  private let others: [Program.Running]

  /// `settings` are lines of the gateway's configuration besides.
  init(settings: String = "") async throws {
    let authority = try TestAuthority()
    folder = authority.folder
    for name in ["gateway", "customer"] { _ = try authority.issue(name, role: "service") }
    let ports = try (0..<4).map { _ in try freePort() }
    (gatewayPort, pagePort) = (ports[0], ports[3])
    let signingKey = folder.file("token-key.pem")
    for words in [
      ["genpkey", "-algorithm", "ed25519", "-out", signingKey],
      ["pkey", "-in", signingKey, "-pubout", "-out", folder.file("token-public.pem")],
    ] { _ = try await Program.run("/usr/bin/openssl", words) }
    let publicKey = try String(contentsOfFile: folder.file("token-public.pem"), encoding: .utf8)
    try folder.write("token-keys.pem", "kid: peers\n" + publicKey)
    let tokens = #"tokens: {keys: token-keys.pem, issuer: "https://login.example", audience: mainstay}"#
    let tls = "authority: ca.pem, client_verification: optional}"
    let gateway = try folder.write(
      "gateway.yaml",
      """
      listen: 127.0.0.1:\(ports[0])
      tls: {certificate: gateway.pem, private_key: gateway-key.pem, \(tls)
      upstreams: {interop: "127.0.0.1:\(ports[1])", customer: "127.0.0.1:\(ports[2])"}
      routes:
        grpc.testing: {upstream: interop, access: public}
      \(tokens)
      cors: {origins: "http://127.0.0.1:\(ports[3])"}
      log_level: error
      \(settings)

      """)
    let customer = try folder.write(
      "customer.yaml",
      """
      listen: 127.0.0.1:\(ports[2])
      tls: {certificate: customer.pem, private_key: customer-key.pem, \(tls)
      database: sqlite:customer.db
      \(tokens)
      log_level: error

      """)
    interop = try Program.Running(
      "mainstay-interop",
      [
        "server", "--port", "\(ports[1])", "--cert", folder.file("gateway.pem"), "--key",
        folder.file("gateway-key.pem"),
      ])
    others = [
      try Program.Running("mainstay-gateway", ["--config", gateway]),
      try Program.Running("mainstay-customer", ["--config", customer]),
    ]
    for port in ports[0...2] { await listening(port) }
  }

  /// Runs a script of Peers against the gateway.
  func run(_ script: String, _ arguments: [String] = []) async throws -> Program.Result? {
    try await Python.run(
      script: "Tests/Gateway/Peers/\(script)", arguments: ["\(gatewayPort)", folder.file("ca.pem")] + arguments,
      modules: PeerSite.modules)
  }

  static let modules = ["grpc", "grpc_reflection", "h2", "jwt"]

  /// Lets the test service stop in the middle of everything, or go on.
  func signalInterop(_ number: Int32) { interop.signal(number) }

  func stop() async throws {
    for each in others + [interop] {
      each.signal(SIGKILL)
      _ = try await each.result()
    }
  }
}
