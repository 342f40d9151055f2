import ArgumentParser
import Core
import Glibc
import Logging
import RPCTransport
import ServiceRuntime

/// mainstay up.
struct UpCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "up",
    abstract: "Starts the gateway and all services, and waits until they are healthy.",
    discussion: """
      Makes what is missing in the state folder first: development certificates and a configuration file per service. A
      supervisor then runs in the background, starts each service again when it ends, and keeps a log per process in logs/.

      Examples:
        mainstay up
        mainstay up --home /srv/mainstay
        mainstay up --foreground        for containers: runs until SIGTERM
      """)

  @OptionGroup var home: HomeOptions
  @Flag(help: "Stay in the foreground and log to standard error.") var foreground = false
  @Option(help: "Folder of the services' programs; where mainstay is without it, or MAINSTAY_BIN.") var binDir: String?
  @OptionGroup var ports: PortOptions

  func run() throws {
    let folder = home.folder
    try prepare(folder)
    if foreground { return try supervise(folder) }
    if SupervisorLock.holder(folder) != nil {
      return printLine("Mainstay is already up: gateway at \(gatewayAddress(folder))")
    }
    // What a supervisor that was killed told last must not be taken for the next one's.
    try ProcessTable.write([], to: folder)
    let log = folder.log(of: "supervisor")
    var arguments = ["up", "--foreground", "--home", folder.path]
    arguments += ["--bin-dir", FilePaths.absolute(programs)]
    let supervisor = try ProcessLauncher.start(FilePaths.ownProgram(), arguments, log: log, newSession: true)
    do {
      try MainLoop.run { loop in try await Startup(folder: folder, loop: loop, supervisor: supervisor).wait() }
    } catch {
      // Half a system helps nobody: the next attempt starts from a clean state.
      _ = try? MainLoop.run { loop in await RunningSystem(folder: folder, loop: loop).stop() }
      throw error
    }
    printLine(
      """
      Mainstay is up: gateway at \(gatewayAddress(folder)), state in \(folder.path)
      Try: \(CommandLine.arguments.first ?? "mainstay") call mainstay.customer.v1.CustomerService/ListCustomers '{"pageSize": 3}'
      """)
  }

  private var programs: String {
    binDir ?? environmentVariable("MAINSTAY_BIN") ?? FilePaths.folder(of: FilePaths.ownProgram())
  }

  private func gatewayAddress(_ folder: StateFolder) -> String {
    ServerAddress(configuration: folder.configuration(of: .gateway))?.description ?? "unknown"
  }

  /// Makes folders, certificates and configuration files that are missing.
  private func prepare(_ folder: StateFolder) throws {
    for service in ServiceDefinition.all where access("\(programs)/\(service.program)", X_OK) != 0 {
      throw CommandFailure("\(programs)/\(service.program) is not there; build it, or say where with --bin-dir")
    }
    try folder.create()
    try DevelopmentCertificates(folder: folder).createMissing()
    let ports = ports.byService
    for service in ServiceDefinition.all {
      let path = folder.configuration(of: service)
      if !Files.exists(path) {
        try Files.write(service.configuration(ports: ports), to: path)
      } else if let port = ports[service.name], ServerAddress(configuration: path)?.port != port {
        throw CommandFailure.usage("\(path) is there and names another port than \(port); change it there")
      }
    }
    tellMissingUpstreams(folder)
    tellMissingAudit(folder)
    tellMissingTokens(folder)
  }

  /// One whose configuration file is from before goes on, and refuses calls with a token.
  private func tellMissingTokens(_ folder: StateFolder) {
    let paths = ServiceDefinition.all.filter { $0.lacksTokens(in: folder.configuration(of: $0)) }
      .map { folder.configuration(of: $0) }
    guard !paths.isEmpty else { return }
    let lines = DevelopmentTokens.configuration.joined(separator: "\n")
    StandardError.write(
      "mainstay: \(paths.joined(separator: ", ")) are from before tokens, which are not accepted there; add these lines:\n\(lines)\n"
    )
  }

  /// A service whose configuration file is from before goes on, but signs nothing.
  private func tellMissingAudit(_ folder: StateFolder) {
    let addresses = ServiceDefinition.all.compactMap { service in
      ServerAddress(configuration: folder.configuration(of: service)).map { (service.name, $0.callable.port) }
    }
    let ports = Dictionary(addresses) { first, _ in first }
    for service in ServiceDefinition.audited where service.lacksAudit(in: folder.configuration(of: service)) {
      let lines = service.auditLines(ports: ports).joined(separator: "\n")
      StandardError.write(
        "mainstay: \(folder.configuration(of: service)) is from before the audit log, so that mainstay-\(service.name) signs no "
          + "checkpoints; add these lines:\n\(lines)\n")
    }
  }

  /// Configuration files that are there stay as they are, also those from before there was a service.
  private func tellMissingUpstreams(_ folder: StateFolder) {
    for service in ServiceDefinition.all {
      let path = folder.configuration(of: service)
      for upstream in service.missingUpstreams(in: path) {
        let address = ServerAddress(configuration: folder.configuration(of: upstream))?.callable
        let port = address?.port ?? upstream.defaultPort
        StandardError.write(
          "mainstay: \(path) is older than the \(upstream.name) service, so that mainstay-\(service.name) does not reach it; "
            + "add the line \"  \(upstream.name): 127.0.0.1:\(port)\" below \"upstreams:\" "
            + "(a line of its own, if it is missing)\n")
      }
    }
  }

  private func supervise(_ folder: StateFolder) throws {
    let signals = try SignalWatch([SIGTERM, SIGINT, SIGCHLD])
    guard try SupervisorLock.take(folder) else { throw CommandFailure("Mainstay is already up in \(folder.path)") }
    let programs = FilePaths.absolute(programs)
    let logger = Logger(label: "supervisor") { _ in
      JSONLogHandler(service: "supervisor", level: .info, clock: SystemClock())
    }
    try MainLoop.run { loop in
      signals.start(on: loop)
      await Supervisor(folder: folder, programs: programs, loop: loop, logger: logger).run(signals)
    }
  }
}
