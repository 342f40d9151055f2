import Glibc
import RPCTransport

/// The supervisor and services of a state folder, as another process sees them.
struct RunningSystem: Sendable {
  /// How long the supervisor may take to end: longer than it gives the services.
  static let patience = Duration.seconds(20)

  let folder: StateFolder
  let loop: EventLoop

  /// Ends everything and waits for it; false if nothing ran.
  @discardableResult
  func stop() async -> Bool {
    guard let supervisor = SupervisorLock.holder(folder) else {
      let hadStrays = !StrayProcesses.find(in: folder).isEmpty
      await StrayProcesses.stop(in: folder, loop: loop)
      return hadStrays
    }
    kill(supervisor, SIGTERM)
    let deadline = loop.clock.monotonicNanoseconds() + UInt64(RunningSystem.patience.components.seconds) * 1_000_000_000
    while SupervisorLock.holder(folder) == supervisor, loop.clock.monotonicNanoseconds() < deadline {
      try? await loop.sleep(for: StrayProcesses.pause)
    }
    if SupervisorLock.holder(folder) == supervisor { kill(supervisor, SIGKILL) }
    await StrayProcesses.stop(in: folder, loop: loop)
    return true
  }
}
