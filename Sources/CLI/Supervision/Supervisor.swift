import Glibc
import Logging
import RPCTransport

/// Starts all services, starts them again when they end, and stops them in the end. It never gives up on a service: the log
/// says each time what happened and when it tries again.
///
/// Unchecked Sendable: all of it runs on its event loop.
final class Supervisor: @unchecked Sendable {
  /// How long services may take to end their calls after SIGTERM, before they are killed.
  static let stopPatience = Duration.seconds(15)

  private struct Child {
    let service: ServiceDefinition
    var record: ProcessRecord
    var delay = RestartDelay()
    var startedNanoseconds: UInt64 = 0
  }

  private let folder: StateFolder
  private let programs: String
  private let loop: EventLoop
  private let logger: Logger
  private var children: [Child]
  private var isStopping = false

  /// A supervisor of the programs in a folder.
  init(folder: StateFolder, programs: String, loop: EventLoop, logger: Logger) {
    self.folder = folder
    self.programs = programs
    self.loop = loop
    self.logger = logger
    children = ServiceDefinition.all.map {
      Child(service: $0, record: ProcessRecord(name: $0.name, process: 0, state: .waiting, restarts: 0, lastExit: 0))
    }
  }

  /// Runs until SIGTERM or SIGINT; returns when all services have ended.
  func run(_ signals: SignalWatch) async {
    await StrayProcesses.stop(in: folder, loop: loop)
    logger.info("starting", metadata: ["process": "\(getpid())"])
    for index in children.indices { start(index) }
    while true {
      switch await signals.next() {
      case SIGCHLD: reap()
      default: stop()
      }
      if isStopping, children.allSatisfy({ $0.record.process == 0 }) { break }
    }
    logger.info("stopped")
  }

  private func start(_ index: Int) {
    guard !isStopping else { return }
    let service = children[index].service
    do {
      let process = try ProcessLauncher.start(
        "\(programs)/\(service.program)", ["--config", folder.configuration(of: service)],
        log: folder.log(of: service.name))
      children[index].record.process = process
      children[index].record.state = .running
      children[index].startedNanoseconds = loop.clock.monotonicNanoseconds()
      try Files.write("\(process)\n", to: folder.processFile(of: service.name))
      logger.info("started", metadata: ["service": "\(service.name)", "process": "\(process)"])
    } catch {
      logger.error("cannot start", metadata: ["service": "\(service.name)", "cause": "\(error)"])
      if children[index].record.process == 0 { startLater(index, exit: 1) }
    }
    publish()
  }

  /// Takes in all processes that have ended: one SIGCHLD may stand for several.
  private func reap() {
    var status: Int32 = 0
    while case let process = waitpid(-1, &status, WNOHANG), process > 0 {
      guard let index = children.firstIndex(where: { $0.record.process == process }) else { continue }
      let signal = status & 0x7F
      ended(index, exit: signal == 0 ? (status >> 8) & 0xFF : 128 + signal)
    }
  }

  private func ended(_ index: Int, exit code: Int32) {
    unlink(folder.processFile(of: children[index].service.name))
    children[index].record.process = 0
    if isStopping {
      children[index].record.state = .stopped
      children[index].record.lastExit = code
      logger.info("ended", metadata: ["service": "\(children[index].service.name)", "exit": "\(code)"])
    } else {
      startLater(index, exit: code)
    }
    publish()
  }

  private func startLater(_ index: Int, exit code: Int32) {
    let ran = Duration.nanoseconds(Int64(loop.clock.monotonicNanoseconds() - children[index].startedNanoseconds))
    let delay = children[index].delay.next(afterRunning: ran)
    children[index].record.state = .waiting
    children[index].record.lastExit = code
    logger.error(
      "ended by itself; will be started again",
      metadata: ["service": "\(children[index].service.name)", "exit": "\(code)", "in": "\(delay)"])
    loop.spawn { [self] in
      guard (try? await loop.sleep(for: delay)) != nil, !isStopping else { return }
      children[index].record.restarts += 1
      start(index)
    }
  }

  private func stop() {
    guard !isStopping else { return }
    isStopping = true
    logger.info("stopping")
    // The gateway first, so that it ends its calls while the services still answer.
    for child in children.reversed() where child.record.process > 0 { kill(child.record.process, SIGTERM) }
    for index in children.indices where children[index].record.process == 0 { children[index].record.state = .stopped }
    publish()
    loop.spawn { [self] in
      guard (try? await loop.sleep(for: Supervisor.stopPatience)) != nil else { return }
      for child in children where child.record.process > 0 {
        logger.error("did not end in time; killed", metadata: ["service": "\(child.service.name)"])
        kill(child.record.process, SIGKILL)
      }
    }
  }

  private func publish() {
    do {
      try ProcessTable.write(children.map(\.record), to: folder)
    } catch {
      logger.error("cannot tell the state of the processes", metadata: ["cause": "\(error)"])
    }
  }
}
