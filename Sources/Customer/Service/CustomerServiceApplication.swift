import API
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
  /// Their rows and events.
  public static var aggregates: [AggregateRows] {
    [
      AggregateRows("party", key: "party_id"), AggregateRows("policy", key: "policy_id"),
      // An instalment's events are about POLICY_ID/DUE_DATE; a due date has ten characters.
      AggregateRows(
        "premium", key: ["policy_id", "due_date"], id: "policy_id || '/' || due_date",
        lookup: """
          policy_id = substr(event_aggregate, 1, length(event_aggregate) - 11)
            AND due_date = substr(event_aggregate, length(event_aggregate) - 9)
          """),
    ]
  }

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

  /// Records of parties, for example a bank's: created or brought to what the post says, all rows of a post or none. They are of the
  /// source that posts them, whatever they say.
  public var postKinds: [PostKind] {
    let bulk = PartyImport(environment: environment)
    return [
      PostKind("parties", summary: "Takes parties of the source that posts, as ImportParties does, all or none.") {
        (request: ImportPartiesRequest, post, context) -> ImportPartiesResponse in
        var request = request
        request.source = post.source
        return try await bulk.take(all: request, once: post.id, context)
      }
    ]
  }

  /// CustomerService, PolicyService and ProductCopyService.
  public var ownMethodBindings: [MethodBinding] {
    CustomerEndpoint(environment: environment).methodBindings + PolicyEndpoint(environment: environment).methodBindings
      + products.methodBindings
  }
}
