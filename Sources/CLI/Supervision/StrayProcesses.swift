import Glibc
import RPCTransport

/// Services whose supervisor was killed: they run on and hold their ports and databases.
enum StrayProcesses {
  /// Time between two looks at a process that was asked to end.
  static let pause = Duration.milliseconds(50)

  /// The services of this state folder that run, found by their process files.
  static func find(in folder: StateFolder) -> [pid_t] {
    ServiceDefinition.all.compactMap { service in
      let file = folder.processFile(of: service.name)
      guard Files.exists(file), let text = try? Files.text(file),
        let process = pid_t(text.prefix { $0.isNumber }), isService(process, service, in: folder)
      else { return nil }
      return process
    }
  }

  /// Ends them: SIGTERM, and SIGKILL for those that have not ended in time.
  static func stop(in folder: StateFolder, loop: EventLoop) async {
    let processes = find(in: folder)
    guard !processes.isEmpty else { return }
    for process in processes { kill(process, SIGTERM) }
    let deadline =
      loop.clock.monotonicNanoseconds() + UInt64(Supervisor.stopPatience.components.seconds) * 1_000_000_000
    while !find(in: folder).isEmpty, loop.clock.monotonicNanoseconds() < deadline {
      try? await loop.sleep(for: pause)
    }
    for process in find(in: folder) { kill(process, SIGKILL) }
    while !find(in: folder).isEmpty, loop.clock.monotonicNanoseconds() < deadline + 5_000_000_000 {
      try? await loop.sleep(for: pause)
    }
  }

  /// Whether the process is this service with this folder's configuration: an id in an old file may belong to another program.
  private static func isService(_ process: pid_t, _ service: ServiceDefinition, in folder: StateFolder) -> Bool {
    guard let bytes = try? Files.read("/proc/\(process)/cmdline") else { return false }
    let words = bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    let program = words.first?.split(separator: "/").last.map(String.init)
    return program == service.program && words.contains(folder.configuration(of: service))
  }
}
