import Core
import Logging
import RPCTransport
import Synchronization

/// What a program takes over from a changed configuration while it runs.
public struct ConfigurationReload: Sendable {
  /// The settings that it takes over; a change of any other one waits for a restart, and the log says so.
  public let keys: [ConfigurationKey]
  /// Takes over all of them, or throws and goes on as before. Called on the first event loop.
  public let take: @Sendable (Configuration) throws -> Void

  /// Takes over these settings by `take`.
  public init(_ keys: [ConfigurationKey], take: @escaping @Sendable (Configuration) throws -> Void) {
    self.keys = keys
    self.take = take
  }
}

/// The configuration of a process that runs: read again when its file changes and when somebody asks. One that is wrong changes
/// nothing: the log says what is wrong with it, and a figure that the process runs with an older one. Variables and flags go on
/// counting over the file.
final class LiveConfiguration: Sendable {
  private struct State {
    var mark: FileMark
    var isRight = true
    var taken: Timestamp
  }

  private let running: Configuration
  private let application: ConfigurationReload
  private let logger: Logger
  private let clock: any Clock
  private let read: @Sendable () throws(ConfigurationError) -> Configuration
  private let state: Mutex<State>

  /// That of a process which has begun with `running`.
  init(
    _ running: Configuration, _ application: ConfigurationReload, _ logger: Logger, _ clock: any Clock,
    read: @escaping @Sendable () throws(ConfigurationError) -> Configuration
  ) {
    self.running = running
    self.application = application
    self.logger = logger
    self.clock = clock
    self.read = read
    state = Mutex(State(mark: FileMark(running.file), taken: clock.now()))
  }

  /// Looks on the first event loop, as often as for certificates, whether the file has changed. Ends with the loop.
  func watch(on loop: EventLoop) {
    guard running.file != nil else { return }
    loop.spawn { [self] in
      while (try? await loop.sleep(for: TLSCertificates.lookInterval)) != nil {
        if state.withLock({ $0.mark }) != FileMark(running.file) { reload() }
      }
    }
  }

  /// Reads the file, changed or not, and has the application take it over.
  func reload() {
    // Before the file is read: what changes meanwhile is read again.
    let mark = FileMark(running.file)
    do {
      let configuration = try read()
      try application.take(configuration)
      state.withLock { $0 = State(mark: mark, taken: clock.now()) }
      logger.info("the configuration was read again")
      let waiting = configuration.changes(from: running).filter { name in
        !application.keys.contains { $0.covers(name) }
      }
      if !waiting.isEmpty {
        logger.warning(
          "settings have changed that count from the next start only",
          metadata: ["settings": .string(waiting.joined(separator: ", "))])
      }
    } catch {
      state.withLock { ($0.mark, $0.isRight) = (mark, false) }
      logger.error("the configuration cannot be used; the old one goes on", metadata: ["cause": "\(error)"])
    }
  }

  /// Whether what the file says is what the process does, and since when.
  var gauges: [Gauge] {
    let (isRight, taken) = state.withLock { ($0.isRight, $0.taken) }
    return [
      Gauge(
        "mainstay_config_last_reload_successful",
        help: "Whether the configuration could be used when it was last read.", value: isRight ? 1 : 0),
      Gauge(
        "mainstay_config_last_reload_success_timestamp_seconds",
        help: "When the configuration that holds was read, in seconds since 1970.",
        value: Double(taken.microsecondsSinceEpoch / 1_000_000)),
    ]
  }
}
