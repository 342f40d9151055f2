import ReportingDomain
import ReportingService
import RPCCore
import ServiceRuntime
import ServiceStorage

let keys =
  ServiceDatabase.keys + ServiceAudit.keys + [
    ConfigurationKey("upstreams.*", "HOST:PORT of the services to follow: upstreams.customer, .agent, .partner"),
    ConfigurationKey(
      "rules.grace_days", "days after the due date within which a premium counts as paid", default: "60"),
  ]

await OfflineCommand.runIfAsked("reporting", keys: keys, migrations: ReportingServiceApplication.migrations)
await ServiceProcess.run("reporting", keys: keys) { environment in
  let configuration = environment.configuration
  let rules = ReportingRules(graceDays: try configuration.integer("rules.grace_days", in: 0...365))
  var upstreams: [FollowedService: any Channel] = [:]
  for name in configuration.names(below: "upstreams") {
    guard let service = FollowedService(rawValue: name) else {
      throw ConfigurationError("upstreams.\(name): only customer, agent and partner are followed")
    }
    upstreams[service] = try environment.channel(to: name)
  }
  let database = try await ServiceDatabase.open(
    environment, service: "reporting", migrations: ReportingServiceApplication.migrations)
  let service = ReportingServiceApplication(
    database: database, upstreams: upstreams, clock: environment.clock, random: environment.random,
    rules: rules, replica: ServiceDatabase.replicaName(configuration, "reporting"))
  let (sleep, onError) = (environment.sleep, environment.onLoopError)
  let background = service.background(sleep: sleep, onError: onError) { environment.onNotice(of: $0.rawValue)($1) }
  let auditing = try await environment.auditing("reporting", on: database)
  var application = environment.application(
    service.methodBindings + auditing.methods, background: background + auditing.loops, on: database)
  application.gauges = { try await auditing.gauges() + Gauge.followers(service.followers, at: environment.clock.now()) }
  application.addCheck(auditing.isSound)
  application.ready = { try await service.ready(within: ServiceEnvironment.catchUpPatience, sleep: sleep) }
  return application
}
