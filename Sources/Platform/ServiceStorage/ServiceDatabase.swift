import ServiceRuntime
import Storage
import StorageSQLite
import UseCases

/// Where a service keeps its data, as its configuration says.
public enum ServiceDatabase {
  /// The setting.
  public static let key = ConfigurationKey("database", "where the data are: sqlite:PATH")

  /// Opens the database and brings its schema to the program's version. Throws `ConfigurationError` for a place of an unknown
  /// kind, else what the driver throws.
  public static func open(
    _ environment: ServiceEnvironment, migrations: [Migration]
  ) async throws -> any Database {
    let location = try environment.configuration.location(key.name)
    guard location.scheme == "sqlite" else {
      throw ConfigurationError("\(key.name): \(location.scheme) is not supported; use sqlite:PATH")
    }
    let database = try SQLiteDatabase(path: location.path, clock: environment.clock)
    try await database.migrate(migrations)
    return database
  }
}

extension ServiceProcess {
  /// Runs the program mainstay-NAME that is this service on its database; never returns. `keys` are its own settings, and
  /// `beside` gives what runs beside it.
  public static func run<Service: DatabaseService>(
    _ name: String, _ service: Service.Type, keys: [ConfigurationKey] = [],
    beside: @escaping @Sendable (ServiceEnvironment, Service) throws -> Beside = { _, _ in Beside() }
  ) async -> Never {
    await run(name, keys: [ServiceDatabase.key] + keys) { environment in
      let database = try await ServiceDatabase.open(environment, migrations: Service.migrations)
      let service = try await Service(
        database: database, clock: environment.clock, random: environment.random, replica: "mainstay-\(name)")
      var application = environment.application(service, on: database)
      let auditing = try await environment.auditing(name, on: database, lease: service.foundation.lease)
      let beside = try beside(environment, service)
      application.background += auditing.loops + beside.loops
      application.ready = beside.ready
      return application
    }
  }
}

extension ServiceEnvironment {
  /// What the process serves: the service, its loops beside it, and its database closed in the end.
  public func application(_ service: some DatabaseService, on database: any Database) -> ServiceApplication {
    let background = service.background(sleep: sleep, onError: onLoopError)
    return ServiceApplication(.methods(service.methodBindings), background: background) { database.close() }
  }
}

extension ServiceEnvironment {
  /// How a loop beside the calls waits: on the first event loop.
  public var sleep: @Sendable (Duration) async throws -> Void {
    let group = group
    return { try await group.first.sleep(for: $0) }
  }

  /// What a loop beside the calls does with an error that it survives: a line in the log.
  public var onLoopError: @Sendable (any Error) -> Void {
    let logger = logger
    return { logger.error("a background loop failed and goes on", metadata: ["cause": "\($0)"]) }
  }
}
