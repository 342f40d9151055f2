import Foundation
import MainstayTesting
import Testing

/// Two replicas of gRPC's test service as programs, behind a gateway that is one too.
final class ReplicatedSite {
  let folder: TemporaryFolder
  let authority: TestAuthority
  private let ports: [Int]
  private var replicas: [Program.Running] = []
  private let gateway: Program.Running
  let gatewayPort: Int

  /// `settings` are lines of the gateway's configuration besides.
  init(settings: String = "") async throws {
    authority = try TestAuthority()
    folder = authority.folder
    _ = try authority.issue("gateway", role: "service")
    let free = try (0..<3).map { _ in try freePort() }
    ports = Array(free[0...1])
    gatewayPort = free[2]
    let file = try folder.write(
      "gateway.yaml",
      """
      listen: 127.0.0.1:\(gatewayPort)
      tls: {certificate: gateway.pem, private_key: gateway-key.pem, authority: ca.pem, client_verification: optional}
      upstreams: {interop: "127.0.0.1:\(ports[0]),127.0.0.1:\(ports[1])"}
      routes: {grpc.testing: {upstream: interop, access: public}}
      log_level: error
      \(settings)
      """)
    gateway = try Program.Running("mainstay-gateway", ["--config", file])
    for index in ports.indices { replicas.append(try start(index)) }
    for port in free { await listening(port) }
  }

  private func start(_ index: Int) throws -> Program.Running {
    try Program.Running(
      "mainstay-interop",
      [
        "server", "--port", "\(ports[index])", "--cert", folder.file("gateway.pem"), "--key",
        folder.file("gateway-key.pem"),
      ])
  }

  /// Kills a replica without a warning and starts it again.
  func kill(_ index: Int) async throws {
    replicas[index].signal(SIGKILL)
    _ = try await replicas[index].result()
    replicas[index] = try start(index)
    await listening(ports[index])
  }

  /// Stops a replica as an operator does and starts it again.
  func restart(_ index: Int) async throws {
    replicas[index].signal(SIGTERM)
    _ = try await replicas[index].result()
    replicas[index] = try start(index)
    await listening(ports[index])
  }

  /// Starts calls through the gateway, of which none may fail.
  func load(_ method: String, seconds: Int) throws -> Program.Running {
    try Program.Running(
      "mainstay-load",
      [
        "grpc.testing.TestService/\(method)", "--target", "127.0.0.1:\(gatewayPort)", "--ca", folder.file("ca.pem"),
        "--connections", "2", "--streams", "8", "--duration", "\(seconds)s", "--deadline", "60s",
        "--json", folder.file("load.json"),
      ])
  }

  func stop() async throws {
    for each in replicas + [gateway] {
      each.signal(SIGKILL)
      _ = try await each.result()
    }
  }
}

/// Returns once somebody takes connections there, or after a minute.
private func listening(_ port: Int) async { await eventually { canConnect(port) } }

private func canConnect(_ port: Int) -> Bool {
  let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  defer { close(descriptor) }
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = in_port_t(port).bigEndian
  address.sin_addr.s_addr = inet_addr("127.0.0.1")
  return withUnsafePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
    }
  }
}
