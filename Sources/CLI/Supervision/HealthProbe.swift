import API
import RPCCore
import RPCTransport
import ServiceRuntime

/// Asks services how they are (grpc.health.v1), with the administrator's certificate.
struct HealthProbe: Sendable {
  /// How long one answer may take.
  static let patience = Duration.seconds(2)

  let context: TLSContext
  let loop: EventLoop

  /// A probe with the certificates of a state folder.
  init(folder: StateFolder, loop: EventLoop) throws {
    let admin = folder.certificate(DevelopmentCertificates.administrator)
    context = try TLSContext(
      TLSConfiguration(
        authorityPath: folder.authority, certificateChainPath: admin.chain, privateKeyPath: admin.key), role: .client)
    self.loop = loop
  }

  /// "SERVING", or why not. On a connection of its own, so that nothing is remembered of earlier failures.
  func health(of address: ServerAddress) async -> String { await status(of: address, "") }

  /// "ok", or "ALARM" if the process knows that what it has stored is not as it should be; empty where nobody says.
  func integrity(of address: ServerAddress) async -> String {
    switch await status(of: address, HealthRegistry.integrity) {
    case "SERVING": "ok"
    case "NOT_SERVING": "ALARM"
    default: ""
    }
  }

  private func status(of address: ServerAddress, _ service: String) async -> String {
    let channel = ClientChannel(
      host: address.callable.host, port: address.callable.port, tls: context, loop: loop)
    let options = CallOptions(timeout: HealthProbe.patience, clock: loop.clock)
    do {
      let reply = try await HealthClient(channel: channel).check(HealthCheckRequest(service: service), options: options)
      return reply.status.name
    } catch {
      return RPCError(converting: error).code.description
    }
  }
}
