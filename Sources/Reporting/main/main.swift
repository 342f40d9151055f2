import ReportingDomain
import ReportingService
import RPCCore
import RPCTransport
import ServiceRuntime
import ServiceStorage

let keys = [
  ServiceDatabase.key,
  ConfigurationKey("upstreams.*", "HOST:PORT of the services to follow: upstreams.customer, .agent, .partner"),
  ConfigurationKey("rules.grace_days", "days after the due date within which a premium counts as paid", default: "60"),
]

await ServiceProcess.run("reporting", keys: keys) { environment in
  let configuration = environment.configuration
  let rules = ReportingRules(graceDays: try configuration.integer("rules.grace_days", in: 0...365))
  let context = try TLSContext(try environment.tls(), role: .client)
  var upstreams: [FollowedService: any Channel] = [:]
  for name in configuration.names(below: "upstreams") {
    guard let service = FollowedService(rawValue: name) else {
      throw ConfigurationError("upstreams.\(name): only customer, agent and partner are followed")
    }
    let address = try configuration.address("upstreams.\(name)")
    upstreams[service] = ClientChannel(
      host: address.host, port: address.port, tls: context, loop: environment.group.first)
  }
  let database = try await ServiceDatabase.open(environment, migrations: ReportingServiceApplication.migrations)
  let service = ReportingServiceApplication(
    database: database, upstreams: upstreams, clock: environment.clock, rules: rules)
  let background = service.background(
    sleep: { try await environment.group.first.sleep(for: $0) },
    onError: { environment.logger.warning("following events broke off and goes on", metadata: ["cause": "\($0)"]) })
  return ServiceApplication(.methods(service.methodBindings), background: background) { database.close() }
}
