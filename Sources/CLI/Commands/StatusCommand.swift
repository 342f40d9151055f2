import ArgumentParser

/// mainstay status.
struct StatusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Shows the processes and how they are; exit code 1 if one is not healthy.",
    discussion: """
      Integrity is ALARM where a service knows that its data or its audit log are not as they should be; its log says more, and
      docs/runbooks/audit.md what to do.

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
    let states = try MainLoop.run { loop in
      var states: [(health: String, integrity: String)] = []
      let probe = supervised ? try HealthProbe(folder: folder, loop: loop) : nil
      for address in addresses {
        guard let probe, let address else { states.append(("DOWN", "")); continue }
        states.append((await probe.health(of: address), await probe.integrity(of: address)))
      }
      return states
    }
    let listing = Listing(
      ["process", "pid", "state", "address", "integrity", "health", "restarts"], format: output.resolved(terminal),
      terminal: terminal, output: StandardOutput())
    for (index, service) in ServiceDefinition.all.enumerated() {
      let record = records.first { $0.name == service.name }
      listing.add([
        service.program, record.map { $0.process > 0 ? "\($0.process)" : "" } ?? "",
        record?.state.rawValue ?? "stopped",
        addresses[index]?.description ?? "", states[index].integrity, states[index].health, "\(record?.restarts ?? 0)",
      ])
    }
    listing.finish()
    if !supervised { StandardError.write("mainstay: not running in \(folder.path); start it with \"mainstay up\"\n") }
    for (service, state) in zip(ServiceDefinition.all, states) where state.integrity == "ALARM" {
      StandardError.write(
        "mainstay: what \(service.name) has stored is not as it should be: see its log and docs/runbooks/audit.md\n")
    }
    if states.contains(where: { $0.health != "SERVING" || $0.integrity == "ALARM" }) { throw ExitCode(1) }
  }
}
