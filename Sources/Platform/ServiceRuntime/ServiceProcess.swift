import Core
import Glibc
import Logging
import RPCCore
import RPCTransport

/// What a program gives to `ServiceProcess`: what it serves, and what runs beside.
public struct ServiceApplication: Sendable {
  /// What answers calls.
  public enum Serving: Sendable {
    /// gRPC methods; health, reflection, identity and permission are put around them.
    case methods([MethodBinding])
    /// Whole streams: the gateway. Given the process's health.
    case streams(@Sendable (HealthRegistry) throws -> any StreamAcceptor)
  }

  /// What answers calls.
  public var serving: Serving
  /// Loops that run as long as the process does. One that throws ends the process.
  public var background: [@Sendable () async throws -> Void]
  /// Its figures beside those of its calls, for /metrics.
  public var gauges: @Sendable () async throws -> [Gauge] = { [] }
  /// Returns when the process may say that it is healthy; runs beside the loops and is cancelled at the end.
  public var ready: @Sendable () async throws -> Void = {}
  /// Figures of its own in Prometheus' text form, for the operators' /metrics.
  public var metrics: @Sendable () -> String = { "" }
  /// Whether nothing is known that should not be so in what it has stored; nil for a program that stores nothing.
  public var isSound: (@Sendable () -> Bool)?
  /// What it takes over from a changed configuration while it runs; nil if that is nothing.
  public var reload: ConfigurationReload?
  /// Called last, when nothing runs any more.
  public var close: @Sendable () -> Void

  /// What a program serves.
  public init(
    _ serving: Serving, background: [@Sendable () async throws -> Void] = [], close: @escaping @Sendable () -> Void = {}
  ) {
    self.serving = serving
    self.background = background
    self.close = close
  }
}

/// What a program is given to set itself up. Its work runs on the first event loop.
public struct ServiceEnvironment: Sendable {
  /// Its settings.
  public let configuration: Configuration
  /// Its event loops.
  public let group: EventLoopGroup
  /// Its log.
  public let logger: Logger
  /// Its time.
  public let clock: SystemClock
  /// Its random source.
  public let random: SystemRandom
  /// Whether permissions are checked.
  public let access: AccessMode
  /// What it grants its peers.
  public let limits: ServiceLimits
  /// Hears of calls that took long; nil if none counts as that.
  public let slowCalls: SlowCallLog?
  let clientCertificates = MadeOnce<TLSCertificates>()
  private let callerIdentification = MadeOnce<CallerIdentification>()

  /// An environment, as `ServiceProcess` makes it.
  public init(
    configuration: Configuration, group: EventLoopGroup, logger: Logger, clock: SystemClock, random: SystemRandom,
    access: AccessMode, limits: ServiceLimits = ServiceLimits(), slowCalls: SlowCallLog? = nil
  ) {
    self.configuration = configuration
    self.group = group
    self.logger = logger
    self.clock = clock
    self.random = random
    self.access = access
    self.limits = limits
    self.slowCalls = slowCalls
  }

  /// Who makes the calls that come.
  public func identification() throws -> CallerIdentification {
    try callerIdentification.get {
      let identification = try CallerIdentification(configuration, logger: logger, clock: clock)
      identification.watch(on: group.first)
      return identification
    }
  }

  /// Own certificates.
  public func tls() throws(ConfigurationError) -> TLSConfiguration {
    let revocationList = configuration.path("tls.revocation_list")
    return TLSConfiguration(
      authorityPath: configuration.path("tls.authority"), certificateChainPath: configuration.path("tls.certificate"),
      privateKeyPath: configuration.path("tls.private_key"),
      revocationListPath: revocationList.isEmpty ? nil : revocationList,
      clientVerification: try configuration.choice("tls.client_verification", TLSConfiguration.ClientVerification.self))
  }
}

/// The life of a service's process: configuration, start, readiness, SIGTERM, drain, end.
public enum ServiceProcess {
  /// Most of `idle_poll_microseconds`: who sleeps longer than this is woken soon enough.
  private static let longestIdlePoll = 1_000

  /// Runs a program until SIGTERM or SIGINT; never returns. Exit code 0 after a clean stop, 1 when it cannot serve, 2 when the
  /// configuration or an argument is wrong; each with one line on standard error. `check` throws what `start` would for the settings
  /// alone: --check-config asks it.
  public static func run(
    _ name: String, keys: [ConfigurationKey],
    check: @escaping @Sendable (ServiceEnvironment) throws -> Void = { _ in },
    _ start: @escaping @Sendable (ServiceEnvironment) async throws -> ServiceApplication
  ) async -> Never {
    let arguments = Array(CommandLine.arguments.dropFirst())
    let keys = ConfigurationKey.common + keys
    do {
      if Configuration.request(arguments) == .help { end(0, help(name, keys), to: STDOUT_FILENO) }
      let variables = environmentVariables()
      let read = { @Sendable () throws(ConfigurationError) in
        try Configuration(arguments: arguments, environment: variables, keys: keys)
      }
      let configuration = try read()
      let signals = try SignalWatch([SIGTERM, SIGINT, SIGHUP])
      let environment = try makeEnvironment(name, configuration)
      if Configuration.request(arguments) == .check {
        _ = try (environment.tls(), environment.identification(), configuration.address("listen"))
        if !configuration.text("operators.listen").isEmpty { _ = try configuration.address("operators.listen") }
        try check(environment)
        end(0, "the configuration is valid; its limits are\n\(limits(configuration))", to: STDOUT_FILENO)
      }
      signals.start(on: environment.group.first)
      try await environment.group.first.run { try await serve(name, environment, signals, read, start) }
    } catch let error as ConfigurationError {
      end(2, "mainstay-\(name): \(error)")
    } catch {
      end(1, "mainstay-\(name): \(error)")
    }
    exit(0)
  }

  /// Does a piece of work without serving, on the first event loop, with the settings that the arguments name; never returns. Exit
  /// code: what the work gives; 1 when it throws, 2 when the configuration or an argument is wrong. With a help text of its own no
  /// setting is required: the work says what it needs.
  public static func work(
    _ name: String, keys: [ConfigurationKey], arguments: [String], help text: String? = nil,
    _ body: @escaping @Sendable (ServiceEnvironment) async throws -> Int32
  ) async -> Never {
    var keys = ConfigurationKey.common + keys
    if text != nil { keys = keys.map { ConfigurationKey($0.name, $0.summary, default: $0.defaultValue ?? "") } }
    do {
      if Configuration.request(arguments) == .help { end(0, text ?? help(name, keys), to: STDOUT_FILENO) }
      let configuration = try Configuration(arguments: arguments, environment: environmentVariables(), keys: keys)
      let environment = try makeEnvironment(name, configuration)
      exit(try await environment.group.first.run { try await body(environment) })
    } catch let error as ConfigurationError {
      end(2, "mainstay-\(name): \(error)")
    } catch {
      end(1, "mainstay-\(name): \(error)")
    }
  }

  private static func serve(
    _ name: String, _ environment: ServiceEnvironment, _ signals: SignalWatch,
    _ read: @escaping @Sendable () throws(ConfigurationError) -> Configuration,
    _ start: @escaping @Sendable (ServiceEnvironment) async throws -> ServiceApplication
  ) async throws {
    let (configuration, logger) = (environment.configuration, environment.logger)
    let address = try configuration.address("listen")
    let grace = try configuration.integer("shutdown_grace_seconds", in: 0...3_600)
    let tls = try environment.tls()
    let identification = try environment.identification()
    let application = try await start(environment)
    defer { application.close() }
    if environment.access == .public { logger.warning("access is public: no permission is checked") }
    let (acceptor, health) = try makeAcceptor(application, environment)
    let limits = environment.limits
    var listening = Server.Configuration(
      host: address.host, port: address.port, tls: tls, limits: limits.http2, connectionLimits: limits.server,
      maximumConnections: limits.maximumConnections)
    listening.budget = limits.budget
    listening.onRefusedPeer = { identification.refusals.note(.certificate, address: $0, detail: $1) }
    listening.addresses = limits.addresses
    listening.callsPerSecond = limits.callsPerSecond
    listening.onCertificates = { logger.certificatesRead($0, for: "callers") }
    let server = try await Server(listening, acceptor: acceptor, group: environment.group)
    let live = application.reload.map { LiveConfiguration(configuration, $0, logger, environment.clock, read: read) }
    let operators = try await startOperators(environment, health, application, live)
    let background = startBackground(application, environment)
    live?.watch(on: environment.group.first)
    let ready = application.ready
    let opening = environment.group.first.spawn {
      guard (try? await ready()) != nil, !Task.isCancelled else { return }
      health.isServing = true
      logger.info("serving", metadata: ["address": "\(server.host):\(server.port)"])
    }
    var signal = await signals.next()
    while signal == SIGHUP {
      server.reloadCertificates()
      environment.clientCertificates.value?.reload()
      identification.reload()
      live?.reload()
      signal = await signals.next()
    }
    logger.info("stopping", metadata: ["signal": "\(signal)"])
    opening.cancel()
    await opening.value
    health.stop()
    await server.shutdown(grace: .seconds(grace))
    for task in background { task.cancel() }
    for task in background { await task.value }
    operators?.stop()
    logger.info("stopped")
  }

  /// The operators' listener; nil if none is configured.
  private static func startOperators(
    _ environment: ServiceEnvironment, _ health: HealthRegistry, _ application: ServiceApplication,
    _ live: LiveConfiguration?
  ) async throws -> OperatorServer? {
    let key = "operators.listen"
    guard !environment.configuration.text(key).isEmpty else { return nil }
    let address = try environment.configuration.address(key)
    let identification = try environment.identification()
    let answers = OperatorAnswers(
      group: environment.group, health: health, metrics: application.metrics
    ) { (live?.gauges ?? []) + (try await application.gauges()) + identification.gauges }
    let server = try await OperatorServer(
      host: address.host, port: address.port, loop: environment.group.first
    ) { await answers.answer($0) }
    environment.logger.info(
      "operators' listener", metadata: ["address": .string("\(address.host):\(server.port)")])
    return server
  }

  private static func makeAcceptor(
    _ application: ServiceApplication, _ environment: ServiceEnvironment
  ) throws -> (any StreamAcceptor, HealthRegistry) {
    switch application.serving {
    case .streams(let make):
      let health = HealthRegistry(services: [])
      return (try make(health), health)
    case .methods(let methods):
      let services = Set(methods.map(\.method.service)).sorted()
      let health = HealthRegistry(services: services, isSound: application.isSound)
      let router = try InfrastructureServices.router(
        methods, health: health, access: environment.access, identification: try environment.identification(),
        group: environment.group)
      let acceptor = GRPCAcceptor(
        router: router, limits: environment.limits.calls, logger: environment.logger, slowCalls: environment.slowCalls)
      return (acceptor, health)
    }
  }

  private static func startBackground(
    _ application: ServiceApplication, _ environment: ServiceEnvironment
  ) -> [Task<Void, Never>] {
    application.background.map { body in
      environment.group.first.spawn {
        do {
          try await body()
        } catch is CancellationError {
        } catch {
          // A loop that others rely on is gone: the supervisor starts a process that has all of them.
          if !Task.isCancelled {
            environment.logger.critical("a background loop failed", metadata: ["cause": "\(error)"])
            exit(1)
          }
        }
      }
    }
  }

  private static func makeEnvironment(_ name: String, _ configuration: Configuration) throws -> ServiceEnvironment {
    let level = try configuration.choice("log_level", Logger.Level.self)
    let loops = try configuration.integer("event_loops", in: 0...EventLoopGroup.maximumLoops)
    let access = try configuration.choice("access", AccessMode.self)
    let limits = try ServiceLimits(configuration)
    let clock = SystemClock()
    let logger = Logger(label: name) { _ in JSONLogHandler(service: name, level: level, clock: clock) }
    ProcessMemory.keepForMessages()
    let slow = try configuration.integer("slow_call_milliseconds", in: 0...3_600_000)
    let poll = try configuration.integer("idle_poll_microseconds", in: 0...longestIdlePoll)
    let group = try EventLoopGroup(
      count: loops == 0 ? max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) : loops, idlePoll: .microseconds(poll))
    return ServiceEnvironment(
      configuration: configuration, group: group, logger: logger, clock: clock, random: SystemRandom(), access: access,
      limits: limits, slowCalls: SlowCallLog(milliseconds: slow, logger: logger, clock: clock))
  }

  private static func help(_ name: String, _ keys: [ConfigurationKey]) -> String {
    var lines = [
      "mainstay-\(name): the \(name) of Mainstay.", "",
      "usage: mainstay-\(name) [--config FILE] [--check-config] [--KEY VALUE …]", "",
      "Each key stands in the file (YAML), or as MAINSTAY_KEY in the environment, or as a flag; the later counts.", "",
    ]
    for key in keys {
      let value = key.defaultValue.map { $0.isEmpty ? "" : " (default \($0))" } ?? ""
      lines.append("  \(key.flag)\(String(repeating: " ", count: max(1, 28 - key.flag.count)))\(key.summary)\(value)")
    }
    return lines.joined(separator: "\n")
  }

  /// What the settings of limits are, one to a line.
  private static func limits(_ configuration: Configuration) -> String {
    ServiceLimits.keys.map { "  \($0.name): \(configuration.text($0.name))" }.joined(separator: "\n")
  }

  private static func end(_ code: Int32, _ line: String, to descriptor: Int32 = STDERR_FILENO) -> Never {
    var text = line + "\n"
    text.withUTF8 { _ = write(descriptor, $0.baseAddress, $0.count) }
    exit(code)
  }
}

/// The process's environment.
private func environmentVariables() -> [String: String] {
  var variables: [String: String] = [:]
  var next = environ
  while let entry = next.pointee {
    let parts = String(cString: entry).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    if parts.count == 2 { variables[String(parts[0])] = String(parts[1]) }
    next += 1
  }
  return variables
}

extension Logger {
  /// Tells whether certificates could be read again, and for connections with whom.
  func certificatesRead(_ error: TransportError?, for peers: String) {
    if let error {
      self.error(
        "the certificates cannot be used; the old ones go on", metadata: ["cause": "\(error)", "for": "\(peers)"])
    } else {
      info("certificates were read again", metadata: ["for": "\(peers)"])
    }
  }
}
