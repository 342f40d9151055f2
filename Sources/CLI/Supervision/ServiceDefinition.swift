import Yams

/// A process that `mainstay up` starts.
struct ServiceDefinition: Sendable {
  /// For example "customer"; the program is mainstay-customer.
  let name: String
  /// Where it listens unless its configuration file says otherwise.
  let defaultPort: Int

  static let gateway = ServiceDefinition(name: "gateway", defaultPort: 7_443)
  static let customer = ServiceDefinition(name: "customer", defaultPort: 7_451)
  static let agent = ServiceDefinition(name: "agent", defaultPort: 7_452)
  static let partner = ServiceDefinition(name: "partner", defaultPort: 7_453)
  static let reporting = ServiceDefinition(name: "reporting", defaultPort: 7_454)
  /// What is started, services before the gateway that forwards to them.
  static let all = [partner, customer, agent, reporting, gateway]

  /// Name of the program.
  var program: String { "mainstay-\(name)" }

  /// Those that know the partner service's products by its events.
  static let withEvents = [customer, agent, partner]
  static let productFollowers = [customer, agent, reporting]

  /// Those with an audit log: each is the witness of the one before it, the first that of the last.
  static let audited = [customer, agent, partner, reporting]

  /// The service that keeps this one's checkpoints; nil without an audit log.
  var witness: ServiceDefinition? {
    let ring = ServiceDefinition.audited
    return ring.firstIndex { $0.name == name }.map { ring[($0 + 1) % ring.count] }
  }

  /// Whether a configuration file from an older version says nothing of the audit log.
  func lacksAudit(in path: String) -> Bool {
    guard witness != nil, let text = try? Files.text(path), let root = try? Yams.compose(yaml: text) else {
      return false
    }
    return root["audit"] == nil
  }

  /// Whether a configuration file from an older version says nothing of tokens.
  func lacksTokens(in path: String) -> Bool {
    guard let text = try? Files.text(path), let root = try? Yams.compose(yaml: text) else { return false }
    return root["tokens"] == nil
  }

  /// The lines of a configuration file about the audit log.
  func auditLines(ports: [String: Int]) -> [String] {
    guard let witness else { return [] }
    return [
      "audit:", "  key: ../pki/\(name)-audit-key.pem", "  trusted_keys: ../pki/audit-keys.txt",
      "  checkpoint_file: ../audit/\(name).checkpoints",
      "  witness: 127.0.0.1:\(ports[witness.name] ?? witness.defaultPort)",
    ]
  }

  /// Whom it calls: the gateway forwards to all, reporting follows the events of those that have some, customer and agent keep
  /// copies of the partner service's products.
  private var upstreams: [ServiceDefinition] {
    switch name {
    case ServiceDefinition.gateway.name: ServiceDefinition.all.filter { $0.name != name }
    case ServiceDefinition.reporting.name:
      ServiceDefinition.all.filter { $0.name != name && $0.name != ServiceDefinition.gateway.name }
    case ServiceDefinition.customer.name, ServiceDefinition.agent.name: [.partner]
    default: []
    }
  }

  /// Those it calls that a configuration file from an older version does not name. None if the file cannot be read: the service
  /// itself says so.
  func missingUpstreams(in path: String) -> [ServiceDefinition] {
    guard let text = try? Files.text(path), let root = try? Yams.compose(yaml: text) else { return [] }
    return upstreams.filter { root["upstreams"]?[$0.name] == nil }
  }

  /// The first configuration file: ports of all services by name.
  func configuration(ports: [String: Int]) -> String {
    let isGateway = name == ServiceDefinition.gateway.name
    var lines = [
      "# Settings of mainstay-\(name). Relative paths start at this file's folder. Written once: change what you like;",
      "# mainstay-\(name) --help lists all keys.",
      "listen: 127.0.0.1:\(ports[name] ?? defaultPort)",
    ]
    if !isGateway { lines.append("database: sqlite:../data/\(name).db") }
    if Self.withEvents.contains(where: { $0.name == name }) {
      lines.append("webhooks: {key_file: ../data/\(name)-webhooks.key}")
    }
    lines += [
      "tls:", "  certificate: ../pki/\(name).pem", "  private_key: ../pki/\(name)-key.pem",
      "  authority: ../pki/ca.pem",
      "  client_verification: required",
    ]
    let upstreams = upstreams
    if !upstreams.isEmpty {
      lines.append("upstreams:")
      for service in upstreams {
        lines.append("  \(service.name): 127.0.0.1:\(ports[service.name] ?? service.defaultPort)")
      }
    }
    lines += DevelopmentTokens.configuration
    lines += auditLines(ports: ports)
    lines += ["log_level: info", "# Threads that serve; 0 means one per core.", "event_loops: 0"]
    return lines.joined(separator: "\n") + "\n"
  }
}
