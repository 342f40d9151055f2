import Foundation
import FoundationNetworking
import MainstayTesting
import Testing

/// Two replicas of gRPC's test service as programs, behind a gateway that is one too.
final class ReplicatedSite {
  let folder: TemporaryFolder
  let authority: TestAuthority
  let ports: [Int]
  private var replicas: [Program.Running] = []
  let gateway: Program.Running
  let gatewayPort: Int
  let operatorsPort: Int

  /// `upstreams` are the lines of the gateway's configuration that say where calls go, nil those of both replicas; `settings` are
  /// others; `arguments` come on its command line.
  init(
    upstreams: (([Int]) -> String)? = nil, settings: String = "", arguments: [String] = []
  ) async throws {
    authority = try TestAuthority()
    folder = authority.folder
    _ = try authority.issue("gateway", role: "service")
    let free = try (0..<4).map { _ in try freePort() }
    ports = Array(free[0...1])
    (gatewayPort, operatorsPort) = (free[2], free[3])
    let lines = upstreams?(ports) ?? ReplicatedSite.upstreams(ports)
    let file = try folder.write(
      "gateway.yaml", ReplicatedSite.configuration(gatewayPort, operatorsPort, lines + "\n" + settings))
    gateway = try Program.Running("mainstay-gateway", ["--config", file] + arguments)
    for index in ports.indices { replicas.append(try start(index)) }
    for port in free { await listening(port) }
  }

  private static func configuration(_ port: Int, _ operatorsPort: Int, _ lines: String) -> String {
    """
    listen: 127.0.0.1:\(port)
    operators: {listen: "127.0.0.1:\(operatorsPort)"}
    tls: {certificate: gateway.pem, private_key: gateway-key.pem, authority: ca.pem, client_verification: optional}
    \(lines)
    """
  }

  /// The lines of a configuration by which calls go to replicas at these ports.
  static func upstreams(_ ports: [Int]) -> String {
    let replicas = ports.map { "127.0.0.1:\($0)" }.joined(separator: ",")
    return "upstreams: {interop: \"\(replicas)\"}\nroutes: {grpc.testing: {upstream: interop, access: public}}"
  }

  /// Writes other lines into the gateway's configuration, in place of its file.
  func configure(_ lines: String) throws {
    let file = try folder.write("next.yaml", ReplicatedSite.configuration(gatewayPort, operatorsPort, lines))
    guard rename(file, folder.file("gateway.yaml")) == 0 else { throw POSIXError(.EIO) }
  }

  /// Values of the gateway's figures by their name and labels.
  func figures() async throws -> [String: Double] {
    let url = try #require(URL(string: "http://127.0.0.1:\(operatorsPort)/metrics"))
    let (data, _) = try await URLSession.shared.data(from: url)
    let pairs = String(decoding: data, as: UTF8.self).split(separator: "\n").compactMap { line in
      line.lastIndex(of: " ").flatMap { space in
        Double(line[line.index(after: space)...]).map { (String(line[..<space]), $0) }
      }
    }
    return Dictionary(pairs) { first, _ in first }
  }

  /// A figure of a replica; nil if there is none.
  func figure(_ name: String, ofReplica index: Int) async throws -> Double? {
    try await figures()[
      "mainstay_upstream_replica_\(name){replica=\"127.0.0.1:\(ports[index])\",upstream=\"interop\"}"]
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
func listening(_ port: Int) async { await eventually { canConnect(port) } }

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
