import ArgumentParser

/// Where services listen whose configuration file is not there yet.
struct PortOptions: ParsableArguments {
  @Option(help: "Port of the gateway in a configuration file that is not there yet.") var gatewayPort: Int?
  @Option(help: "Port of the customer service, likewise.") var customerPort: Int?
  @Option(help: "Port of the agent service, likewise.") var agentPort: Int?
  @Option(help: "Port of the partner service, likewise.") var partnerPort: Int?
  @Option(help: "Port of the reporting service, likewise.") var reportingPort: Int?

  /// Those that were given, by the service's name.
  var byService: [String: Int] {
    let all = [
      "gateway": gatewayPort, "customer": customerPort, "agent": agentPort, "partner": partnerPort,
      "reporting": reportingPort,
    ]
    return all.compactMapValues { $0 }
  }

  func validate() throws {
    for port in byService.values where !(1...65_535).contains(port) {
      throw ValidationError("\(port) is no port; give 1 to 65535.")
    }
  }
}
