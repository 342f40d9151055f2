import ArgumentParser

/// mainstay status.
struct StatusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Shows the processes and how they are; exit code 1 if one is not healthy.",
    discussion: """
      Example:
        mainstay status --format json
      """)

  @OptionGroup var home: HomeOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let folder = home.folder
    let terminal = Terminal.current()
    let supervised = SupervisorLock.holder(folder) != nil
    let records = supervised ? ProcessTable.read(folder) : []
    let addresses = ServiceDefinition.all.map { ServerAddress(configuration: folder.configuration(of: $0)) }
    let health = try MainLoop.run { loop in
      var states: [String] = []
      let probe = supervised ? try HealthProbe(folder: folder, loop: loop) : nil
      for address in addresses {
        guard let probe, let address else { states.append("DOWN"); continue }
        states.append(await probe.health(of: address))
      }
      return states
    }
    let listing = Listing(
      ["process", "pid", "state", "address", "health", "restarts"], format: output.resolved(terminal),
      terminal: terminal, output: StandardOutput())
    for (index, service) in ServiceDefinition.all.enumerated() {
      let record = records.first { $0.name == service.name }
      listing.add([
        service.program, record.map { $0.process > 0 ? "\($0.process)" : "" } ?? "",
        record?.state.rawValue ?? "stopped",
        addresses[index]?.description ?? "", health[index], "\(record?.restarts ?? 0)",
      ])
    }
    listing.finish()
    if !supervised { StandardError.write("mainstay: not running in \(folder.path); start it with \"mainstay up\"\n") }
    if health.contains(where: { $0 != "SERVING" }) { throw ExitCode(1) }
  }
}
