import Glibc
import RPCTransport

/// Waits until the services that a supervisor has started are healthy, or until it is clear that one will not be.
struct Startup: Sendable {
  /// How long all services may take.
  static let patience = Duration.seconds(30)
  /// Time between two looks.
  static let pause = Duration.milliseconds(100)
  /// Ends of a service before it was healthy that make it a failure: one may be bad luck.
  static let failures = 2

  let folder: StateFolder
  let loop: EventLoop
  /// The supervisor, a child of this process.
  let supervisor: pid_t

  /// Returns when all are healthy; throws with what the service that is not says itself.
  func wait() async throws {
    let probe = try HealthProbe(folder: folder, loop: loop)
    var missing = ServiceDefinition.all
    let deadline = loop.clock.monotonicNanoseconds() + UInt64(Startup.patience.components.seconds) * 1_000_000_000
    while !missing.isEmpty {
      try checkSupervisor()
      for record in ProcessTable.read(folder) where missing.contains(where: { $0.name == record.name }) {
        // A wrong configuration does not heal.
        let ends = record.restarts + (record.state == .waiting && record.lastExit != 0 ? 1 : 0)
        if ends >= Startup.failures || (ends > 0 && record.lastExit == 2) {
          throw failure(of: record.name, exit: record.lastExit)
        }
      }
      var stillMissing: [ServiceDefinition] = []
      for service in missing {
        let address = ServerAddress(configuration: folder.configuration(of: service))
        guard let address, await isHealthy(service, probe, address) else {
          stillMissing.append(service)
          continue
        }
      }
      missing = stillMissing
      if let late = missing.first, loop.clock.monotonicNanoseconds() > deadline {
        throw failure(of: late.name, exit: 1)
      }
      if !missing.isEmpty { try await loop.sleep(for: Startup.pause) }
    }
  }

  /// Serving, and by the process that was started: another program may hold the port.
  private func isHealthy(_ service: ServiceDefinition, _ probe: HealthProbe, _ address: ServerAddress) async -> Bool {
    guard ProcessTable.read(folder).contains(where: { $0.name == service.name && $0.state == .running }) else {
      return false
    }
    return await probe.health(of: address) == "SERVING"
  }

  private func checkSupervisor() throws {
    var status: Int32 = 0
    guard waitpid(supervisor, &status, WNOHANG) == supervisor, SupervisorLock.holder(folder) == nil else { return }
    let line = Files.lastLines(of: folder.log(of: "supervisor"), 1).first ?? "no log"
    throw CommandFailure("the supervisor has ended: \(line)")
  }

  /// The service's own line about it and its exit code, else the end of its log.
  private func failure(of name: String, exit code: Int32) -> CommandFailure {
    let log = folder.log(of: name)
    let lines = Files.lastLines(of: log, 40)
    if let line = lines.last(where: { $0.hasPrefix("mainstay-\(name): ") }) {
      let text = "\(name) does not start: \(line.dropFirst("mainstay-\(name): ".count))"
      return code == 2 ? .usage(text) : CommandFailure(text)
    }
    let end = lines.suffix(5).map { "  \($0)" }.joined(separator: "\n")
    return CommandFailure("\(name) does not become healthy; its log \(log) ends:\n\(end)")
  }
}
