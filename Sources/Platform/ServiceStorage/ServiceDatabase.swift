import Glibc
import RPCCore
import ServiceRuntime
import Storage
import StoragePostgres
import StorageSQLite
import UseCases
import Webhooks

/// What a service keeps of its events.
enum RetentionKeys {
  static let days = ConfigurationKey(
    "events.keep_days", "days for which events are kept that a later one has overtaken; 0 for all", default: "0")
  static let events = ConfigurationKey(
    "events.keep_events", "how many of the last events are kept in any case; 0 for all", default: "0")
  static let all = [days, events]

  static func read(_ configuration: Configuration) throws -> (days: Int64, events: Int64) {
    (
      Int64(try configuration.integer(days.name, in: 0...36_600)),
      Int64(try configuration.integer(events.name, in: 0...Int.max))
    )
  }
}

/// Where a service keeps its data, as its configuration says.
public enum ServiceDatabase {
  /// Where.
  public static let key = ConfigurationKey(
    "database",
    "where the data are: sqlite:PATH or postgresql://USER@HOST:PORT/NAME (a schema of the service's name there)")
  /// The server's password.
  public static let passwordFile = ConfigurationKey(
    "database_password_file", "on PostgreSQL: file with the password, mode 0600; without one, libpq's ~/.pgpass",
    default: "")
  /// How many connections.
  public static let connections = ConfigurationKey(
    "database_connections", "on PostgreSQL: most connections of this replica, 4 to 500", default: "24")
  /// The replica's name.
  public static let replica = ConfigurationKey(
    "replica",
    "name of this replica, its own among the service's replicas and the same after a restart; its address if empty",
    default: "")

  /// All settings of a service with a database.
  public static let keys = [key, passwordFile, connections, replica]

  /// Opens the database and brings its schema to the program's version. Throws `ConfigurationError` for a place of an unknown
  /// kind, else what the driver throws. `service` names the schema on PostgreSQL.
  public static func open(
    _ environment: ServiceEnvironment, service: String, migrations: [Migration]
  ) async throws -> any Database {
    let location = try environment.configuration.location(key.name)
    let database = try await connect(
      environment, service: service, to: location, uri: environment.configuration.text(key.name))
    do { try await database.migrate(migrations) } catch {
      database.close()
      throw error
    }
    return database
  }

  /// Opens a database and leaves its schema as it is. `uri` is the whole of what names a server.
  static func connect(
    _ environment: ServiceEnvironment, service: String, to location: (scheme: String, path: String), uri: String,
    limits: SQLiteLimits = SQLiteLimits()
  ) async throws -> any Database {
    let configuration = environment.configuration
    switch location.scheme {
    case "sqlite": return try SQLiteDatabase(path: location.path, clock: environment.clock, limits: limits)
    case "postgresql":
      let connections = try configuration.integer(connections.name, in: 4...500)
      return try await PostgresDatabase.open(
        try server(configuration, service, uri), clock: environment.clock,
        limits: PostgresLimits(connections: connections))
    default:
      throw ConfigurationError("\(key.name): \(location.scheme) is not supported; use sqlite:PATH or postgresql://…")
    }
  }

  private static func server(
    _ configuration: Configuration, _ service: String, _ uri: String
  ) throws(ConfigurationError) -> PostgresLocation {
    let file = configuration.path(passwordFile.name)
    do throws(PostgresLocation.Invalid) {
      return try PostgresLocation(
        uri: uri, schema: service, application: "mainstay-\(service)",
        passwordFile: file.isEmpty ? nil : file)
    } catch {
      throw ConfigurationError("\(key.name): \(error)")
    }
  }

  /// What the replica is called where replicas are told apart: who numbers events takes its own lease back after a restart.
  public static func replicaName(_ configuration: Configuration, _ service: String) -> String {
    let name = configuration.text(replica.name)
    if !name.isEmpty { return name }
    var host = [CChar](repeating: 0, count: 256)
    let isKnown = gethostname(&host, host.count - 1) == 0
    let machine = isKnown ? String(decoding: host.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self) : ""
    return "mainstay-\(service) \(configuration.text("listen")) \(machine)"
  }
}

extension ServiceProcess {
  /// Runs the program mainstay-NAME that is this service on its database; never returns. `keys` are its own settings, and
  /// `beside` gives what runs beside it.
  public static func run<Service: DatabaseService>(
    _ name: String, _ service: Service.Type, keys: [ConfigurationKey] = [],
    beside: @escaping @Sendable (ServiceEnvironment, Service) throws -> Beside = { _, _ in Beside() }
  ) async -> Never {
    let keys = ServiceDatabase.keys + ServiceAudit.keys + RetentionKeys.all + WebhookKeys.all + keys
    let migrations = Service.migrations + Webhooks.migrations
    await OfflineCommand.runIfAsked(name, keys: keys, migrations: migrations, aggregates: Service.aggregates)
    await run(name, keys: keys) { environment in
      let database = try await ServiceDatabase.open(environment, service: name, migrations: migrations)
      let service = try await Service(
        database: database, clock: environment.clock, random: environment.random,
        replica: ServiceDatabase.replicaName(environment.configuration, name))
      let kept = try RetentionKeys.read(environment.configuration)
      service.foundation.retention.keep(days: kept.days, events: kept.events)
      let (webhooks, inbox) = try environment.webhooks(
        service.foundation, on: database, taking: service.postKinds)
      let (sleep, onError) = (environment.sleep, environment.onLoopError)
      let auditing = try await environment.auditing(name, on: database, lease: service.foundation.lease)
      var application = environment.application(
        service, and: webhooks.methodBindings + inbox.methodBindings + auditing.methods, on: database)
      application.background.append { try await webhooks.run(sleep: sleep, onError: onError) }
      let beside = try beside(environment, service)
      application.background += auditing.loops + beside.loops
      application.ready = beside.ready
      application.addCheck(auditing.isSound)
      application.gauges = {
        Gauge.events(try await service.foundation.eventFigures()) + (try await auditing.gauges())
          + Gauge.posts(inbox.figures, unapplied: try await inbox.unappliedPosts()) + (try await beside.gauges())
      }
      return application
    }
  }
}

extension ServiceEnvironment {
  /// What the process serves: the service, its loops beside it, and its database closed in the end.
  public func application(
    _ service: some DatabaseService, and methods: [MethodBinding] = [], on database: any Database
  ) -> ServiceApplication {
    application(
      service.methodBindings + methods, background: service.background(sleep: sleep, onError: onLoopError),
      on: database,
      type(of: service).aggregates)
  }

  /// What a process with a database serves: its methods and care of the database, its loops and the auditor's.
  public func application(
    _ methods: [MethodBinding], background: [@Sendable () async throws -> Void], on database: any Database,
    _ aggregates: [AggregateRows] = []
  ) -> ServiceApplication {
    let auditor = auditor(of: database, aggregates)
    var application = ServiceApplication(
      .methods(methods + MaintenanceEndpoint(database: database).methodBindings),
      background: background + [auditor.loop]
    ) { database.close() }
    application.metrics = auditor.metrics
    application.isSound = auditor.isSound
    return application
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

extension ServiceApplication {
  /// Is sound only if this is too.
  public mutating func addCheck(_ check: @escaping @Sendable () -> Bool) {
    let others = isSound
    isSound = { others?() != false && check() }
  }
}
