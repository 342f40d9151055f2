import Core
import Jobs
import ProductCopies
import RPCCore
import Storage
import UseCases

/// The agent service (A2, A3, A6): branches, teams, agents, their licences and activities, and the events of all, on a database
/// that is given to it.
public struct AgentServiceApplication: DatabaseService, KeepsProductCopies {
  /// The service's tables.
  public static var migrations: [Migration] { AgentSchema.migrations + ProductCopies.migrations + Jobs.migrations }

  /// Events and jobs.
  public let foundation: ServiceFoundation
  /// What it knows of the products that its agents may offer.
  public let products: ProductCopies
  private let environment: Environment

  /// Opens the service on a database that has been migrated. Throws what `ServiceFoundation` does.
  public init(
    database: any Database, clock: any Clock, random: any RandomSource, replica: String = "mainstay-agent"
  ) async throws {
    products = ProductCopies(database: database)
    environment = Environment(database: database, clock: clock, random: random)
    foundation = try await ServiceFoundation(database: database, clock: clock, random: random, replica: replica)
  }

  /// AgentService and ProductCopyService.
  public var ownMethodBindings: [MethodBinding] {
    AgentEndpoint(environment: environment).methodBindings + products.methodBindings
  }
}
