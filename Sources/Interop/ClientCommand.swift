import API
import ArgumentParser
import Glibc
import RPCCore
import RPCTransport

/// mainstay-interop client.
struct ClientCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "client", abstract: "Makes the calls of gRPC's interop tests over TLS; exit code 1 if a case fails.",
    discussion: """
      Example: mainstay-interop client --port 8443 --ca ca.pem --case large_unary --case ping_pong
      Cases: \(InteropCase.names.joined(separator: ", ")); "all" stands for all of them, "uncompressed" for those that every server \
      passes.
      """)

  @Option(name: .customLong("case"), help: "A case, or several by repeating the option.") var cases: [String]
  @Option(help: "Server to call.") var host = "localhost"
  @Option(help: "Its port.") var port: Int
  @Option(help: "Authority of the server's certificate, PEM.") var ca: String
  @Option(help: "Name that the server's certificate must have; the host if left out.") var serverName: String?
  @Option(help: "Own certificate chain, PEM.") var cert: String?
  @Option(help: "Own private key, PEM.") var key: String?

  func validate() throws {
    guard (cert == nil) == (key == nil) else { throw ValidationError("--cert and --key go together") }
    _ = try chosen()
  }

  func run() async throws {
    let loop = try EventLoop()
    let tls = TLSConfiguration(authorityPath: ca, certificateChainPath: cert, privateKeyPath: key)
    let context = try TLSContext(tls, role: .client)
    let (chosen, host, port, serverName) = (try chosen(), host, port, serverName)
    let failed = try await loop.run {
      let channel = ClientChannel(host: host, port: port, tls: context, loop: loop, serverName: serverName)
      var failed = 0
      for interopCase in chosen where await !ClientCommand.passes(interopCase, channel, loop) { failed += 1 }
      channel.close()
      return failed
    }
    if failed > 0 { throw ExitCode(1) }
  }

  private static func passes(_ interopCase: InteropCase, _ channel: ClientChannel, _ loop: EventLoop) async -> Bool {
    do {
      try await interopCase.run(InteropCalls(channel: channel, loop: loop))
      print("passed \(interopCase.name)")
      return true
    } catch {
      print("FAILED \(interopCase.name): \(error)")
      return false
    }
  }

  private func chosen() throws -> [InteropCase] {
    try cases.flatMap { name in
      switch name {
      case "all": InteropCase.all
      case "uncompressed": InteropCase.all.filter { !$0.name.contains("compressed") }
      default:
        if let found = InteropCase.all.first(where: { $0.name == name }) {
          [found]
        } else {
          throw ValidationError("there is no case \(name); cases are \(InteropCase.names.joined(separator: ", "))")
        }
      }
    }
  }
}
