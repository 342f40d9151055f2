import API
import Core
import Jobs
import RPCCore
import Storage
import UseCases

/// The partner service (P1 base, P5): partners, products and their events, on a database that is given to it.
public struct PartnerServiceApplication: DatabaseService {
  /// The service's tables.
  public static var migrations: [Migration] { PartnerSchema.migrations + Jobs.migrations }
  /// Their rows and events.
  public static var aggregates: [AggregateRows] {
    [AggregateRows("partner", key: "id"), AggregateRows("product", key: "id")]
  }

  /// Events and jobs.
  public let foundation: ServiceFoundation
  private let environment: Environment

  /// Opens the service on a database that has been migrated. Throws what `ServiceFoundation` does.
  public init(
    database: any Database, clock: any Clock, random: any RandomSource, replica: String = "mainstay-partner"
  ) async throws {
    environment = Environment(database: database, clock: clock, random: random)
    foundation = try await ServiceFoundation(database: database, clock: clock, random: random, replica: replica)
  }

  /// PartnerService and ProductService.
  public var ownMethodBindings: [MethodBinding] {
    let partners = Catalogue<Partner>(environment: environment)
    return PartnerEndpoint(catalogue: partners).methodBindings
      + ProductEndpoint(catalogue: Catalogue(environment: environment), partners: partners).methodBindings
  }
}
