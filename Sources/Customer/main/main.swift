import CustomerService
import ServiceRuntime
import StorageSQLite

let keys = [ConfigurationKey("database", "where the data are: sqlite:PATH")]

await ServiceProcess.run("customer", keys: keys) { environment in
  let location = try environment.configuration.location("database")
  guard location.scheme == "sqlite" else {
    throw ConfigurationError("database: \(location.scheme) is not supported; use sqlite:PATH")
  }
  let database = try SQLiteDatabase(path: location.path, clock: environment.clock)
  try await database.migrate(CustomerServiceApplication.migrations)
  let service = try await CustomerServiceApplication(
    database: database, clock: environment.clock, random: environment.random)
  let background = service.background(
    sleep: { try await environment.group.first.sleep(for: $0) },
    onError: { environment.logger.error("a background loop failed and goes on", metadata: ["cause": "\($0)"]) })
  return ServiceApplication(.methods(service.methodBindings), background: background) { database.close() }
}
