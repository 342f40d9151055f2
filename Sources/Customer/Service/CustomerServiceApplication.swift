import Core
import Jobs
import ProductCopies
import RPCCore
import Storage
import UseCases

/// The customer service (C1, C2, C8): parties, customers, policies and their events, on a database that is given to it.
public struct CustomerServiceApplication: DatabaseService, KeepsProductCopies {
  /// The service's tables.
  public static var migrations: [Migration] { CustomerSchema.migrations + ProductCopies.migrations + Jobs.migrations }

  /// Events and jobs.
  public let foundation: ServiceFoundation
  /// What it knows of the products that are sold.
  public var products: ProductCopies { environment.products }
  private let environment: CustomerEnvironment

  /// Opens the service on a database that has been migrated. Throws what `ServiceFoundation` does.
  public init(
    database: any Database, clock: any Clock, random: any RandomSource, replica: String = "mainstay-customer"
  ) async throws {
    environment = CustomerEnvironment(
      database: database, clock: clock, random: random, products: ProductCopies(database: database))
    foundation = try await ServiceFoundation(
      database: database, clock: clock, random: random, replica: replica, jobs: [.nameIndex(environment)])
  }

  /// CustomerService, PolicyService and ProductCopyService.
  public var ownMethodBindings: [MethodBinding] {
    CustomerEndpoint(environment: environment).methodBindings + PolicyEndpoint(environment: environment).methodBindings
      + products.methodBindings
  }
}
