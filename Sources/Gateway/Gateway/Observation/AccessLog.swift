import Core
import Glibc
import Logging
import RPCCore
import ServiceRuntime
import Synchronization

/// What the access log says of one call.
struct CallRecord {
  let trace: TraceContext
  /// Nil for a method that nobody has: what a stranger wrote into a path is not logged.
  let method: MethodDescriptor?
  let code: StatusCode
  let nanoseconds: UInt64
  let caller: Caller?
  /// How the caller spoke: grpc, grpc-web or connect.
  let wire: StaticString
  let upstream: String?
  let attempts: Int
  let requestBytes: Int
  let responseBytes: Int
}

/// A line of JSON for each call, without personal data: no content, no address, and of a person no name but the role and a number
/// that is the person's as long as the process lives. Lines are gathered and written together; what the disk or the reader does not
/// take in time is dropped and counted, so that no call waits for its line.
final class AccessLog: Sendable {
  /// Bytes that are written together at the latest.
  static let gatheredBytes = 32_768
  /// Bytes that wait for a disk or reader that takes none.
  static let heldBytes = 1_048_576
  /// A pipe that can be written to at all takes so many bytes (POSIX's least PIPE_BUF is less; Linux has this).
  private static let pipeBytes = 4_096
  /// Callers whose names in the log are remembered.
  private static let rememberedCallers = 10_000

  private struct State {
    var descriptor: Int32
    var lines = LineBuffer()
    var writtenLines = 0
    var droppedLines = 0
    var isFailing = false
    /// The second of the last line, as text.
    var second: Int64 = .min
    var secondText = ""
    var callers: [String: (roles: Set<String>, text: String)] = [:]
  }

  private let path: String
  private let clock: any Clock
  private let logger: Logger
  private let key: [UInt8]
  private let state: Mutex<State>

  /// A log that goes on in a file, which is made with mode 0600 if there is none; "-" is standard output.
  init(path: String, clock: some Clock, random: some RandomSource, logger: Logger) throws(ConfigurationError) {
    self.path = path
    self.clock = clock
    self.logger = logger
    key = withUnsafeBytes(of: (random.next(), random.next())) { Array($0) }
    guard let descriptor = AccessLog.open(path) else {
      throw ConfigurationError("access_log: \(path) cannot be opened for writing: \(String(cString: strerror(errno)))")
    }
    state = Mutex(State(descriptor: descriptor))
  }

  deinit {
    let descriptor = state.withLock { $0.descriptor }
    if descriptor > STDERR_FILENO { close(descriptor) }
  }

  /// Adds a call's line.
  func record(_ call: CallRecord) {
    let now = clock.now()
    state.withLock { state in
      guard state.lines.count < AccessLog.heldBytes else {
        state.droppedLines += 1
        return
      }
      add(call, at: now, &state)
      state.writtenLines += 1
      if state.lines.count >= AccessLog.gatheredBytes { write(&state) }
    }
  }

  /// Writes what has been gathered, into a new file if somebody has moved the old one away.
  func flush() {
    state.withLock { state in
      if path != "-", AccessLog.isMoved(state.descriptor, path), let descriptor = AccessLog.open(path) {
        // What was gathered since goes to the new file: who moved the old one may be reading it.
        close(state.descriptor)
        state.descriptor = descriptor
      }
      write(&state)
    }
  }

  /// Lines that were written, and those that were not.
  var gauges: [Gauge] {
    let (written, dropped) = state.withLock { ($0.writtenLines, $0.droppedLines) }
    return [
      Gauge("mainstay_access_log_lines_total", help: "Lines of the access log.", value: Double(written)),
      Gauge(
        "mainstay_access_log_dropped_lines_total",
        help: "Lines of the access log that the disk or the reader did not take in time.", value: Double(dropped)),
    ]
  }

  private func add(_ call: CallRecord, at now: Timestamp, _ state: inout State) {
    if now.seconds != state.second {
      state.second = now.seconds
      state.secondText = "{\"time\":\"" + now.iso8601.prefix { $0 != "." } + "."
    }
    let caller = call.caller.map { name($0, &state) }
    state.lines.add(state.secondText)
    state.lines.add(Int(now.nanoseconds) / 1_000, digits: 6)
    state.lines.add("Z\",\"trace_id\":\"")
    state.lines.add(trace: call.trace)
    state.lines.add("\",\"method\":\"")
    if let method = call.method {
      state.lines.add(method.service)
      state.lines.add("/")
      state.lines.add(method.name)
    } else {
      state.lines.add("unknown")
    }
    state.lines.add("\",\"code\":\"")
    state.lines.add(call.code.description)
    state.lines.add("\",\"duration_us\":")
    state.lines.add(Int(clamping: call.nanoseconds / 1_000))
    if let caller {
      state.lines.add(",\"caller\":")
      state.lines.add(caller)
    }
    state.lines.add(",\"protocol\":\"")
    state.lines.add(call.wire)
    if let upstream = call.upstream {
      state.lines.add("\",\"upstream\":\"")
      state.lines.add(upstream)
    }
    state.lines.add("\",\"attempts\":")
    state.lines.add(call.attempts)
    state.lines.add(",\"request_bytes\":")
    state.lines.add(call.requestBytes)
    state.lines.add(",\"response_bytes\":")
    state.lines.add(call.responseBytes)
    state.lines.add("}\n")
  }

  /// A service by its name, a person by role and number; in quotes.
  private func name(_ caller: Caller, _ state: inout State) -> String {
    if let known = state.callers[caller.name], known.roles == caller.roles { return known.text }
    let name: String
    if caller.roles.contains(serviceRole) {
      name = caller.name
    } else {
      let mark = SHA256.hash(key + Array(caller.name.utf8)).prefix(4)
      name = caller.roles.sorted().joined(separator: "+") + "#" + hexadecimal(mark)
    }
    if state.callers.count >= AccessLog.rememberedCallers { state.callers = [:] }
    let quoted = jsonString(name)
    state.callers[caller.name] = (caller.roles, quoted)
    return quoted
  }

  /// Writes as much as is taken without waiting.
  private func write(_ state: inout State) {
    var facts = stat()
    let isFile = fstat(state.descriptor, &facts) == 0 && facts.st_mode & S_IFMT == S_IFREG
    while state.lines.count > 0 {
      if !isFile {
        var poll = pollfd(fd: state.descriptor, events: Int16(POLLOUT), revents: 0)
        guard Glibc.poll(&poll, 1, 0) == 1, poll.revents == Int16(POLLOUT) else { return }
      }
      let written = state.lines.write(to: state.descriptor, atMost: isFile ? .max : AccessLog.pipeBytes)
      if written < 0, errno == EINTR { continue }
      if written < 0 {
        let cause = String(cString: strerror(errno))
        if !state.isFailing { logger.error("the access log cannot be written", metadata: ["cause": .string(cause)]) }
        state.isFailing = true
        return
      }
      state.isFailing = false
    }
  }

  private static func open(_ path: String) -> Int32? {
    if path == "-" { return STDOUT_FILENO }
    let descriptor = Glibc.open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
    return descriptor < 0 ? nil : descriptor
  }

  private static func isMoved(_ descriptor: Int32, _ path: String) -> Bool {
    var (here, there) = (stat(), stat())
    guard fstat(descriptor, &here) == 0 else { return true }
    return stat(path, &there) != 0 || here.st_ino != there.st_ino || here.st_dev != there.st_dev
  }
}
