import API
import Core
import Foundation
import Logging
import MainstayTesting
import RPCCore
import RPCTransport
import ServiceRuntime
import Synchronization

/// A server for the program under test: answers UnaryCall as it is asked to, keeps count, and describes itself.
final class MeasuredServer: Sendable {
  /// What the server has seen.
  struct Seen: Sendable {
    var calls = 0
    var sizes: [Int32] = []
  }

  let port: Int
  private let authority: TestAuthority
  private let client: TLSConfiguration
  private let group: EventLoopGroup
  private let server: Server
  private let state: SeenCalls

  var seen: Seen { state.seen.withLock { $0 } }

  init() async throws {
    authority = try TestAuthority()
    client = try authority.issue("load", role: "tester", hosts: [])
    group = try EventLoopGroup(count: 1)
    let state = SeenCalls()
    self.state = state
    let group = group
    let bindings: [MethodBinding] = [
      .unary(TestingTestServiceMethods.unaryCall) { (request: TestingSimpleRequest, _) in
        state.seen.withLock {
          $0.calls += 1
          $0.sizes.append(request.responseSize)
        }
        if request.fillUsername { try await group.current?.sleep(for: .seconds(3_600)) }
        if let status = request.responseStatus, status.code != 0 {
          throw RPCError(StatusCode(rawValue: Int(status.code)) ?? .unknown, status.message)
        }
        return TestingSimpleResponse()
      },
      .unary(TestingTestServiceMethods.emptyCall) { (_: TestingEmpty, _) in TestingEmpty() },
    ]
    let reflection = try ReflectionEndpoint(services: ["grpc.testing.TestService"])
    server = try await Server(
      .init(host: "127.0.0.1", port: 0, tls: try authority.issue("server", role: "service")),
      acceptor: GRPCAcceptor(router: Router(bindings + reflection.bindings), logger: Logger(label: "load")),
      group: group)
    port = server.port
  }

  /// Arguments that reach this server.
  var target: [String] {
    [
      "--target", "127.0.0.1:\(port)", "--ca", authority.certificatePath, "--cert", client.certificateChainPath ?? "",
      "--key", client.privateKeyPath ?? "",
    ]
  }

  /// Runs mainstay-load against it; gives the program's end and its result as JSON.
  func load(_ arguments: [String]) async throws -> (program: Program.Result, json: [String: Any]) {
    let folder = try TemporaryFolder()
    let program = try await Program.run("mainstay-load", arguments + target + ["--json", folder.file("result.json")])
    let data = (try? Data(contentsOf: URL(fileURLWithPath: folder.file("result.json")))) ?? Data("{}".utf8)
    return (program, try JSONSerialization.jsonObject(with: data) as? [String: Any] ?? [:])
  }

  func stop() async {
    await server.shutdown(grace: .zero)
    group.stop()
  }
}

private final class SeenCalls: Sendable {
  let seen = Mutex(MeasuredServer.Seen())
}
