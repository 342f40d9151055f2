import API
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
  /// Their rows and events.
  public static var aggregates: [AggregateRows] {
    [
      AggregateRows("branch", key: "branch_id"), AggregateRows("team", key: "team_id"),
      AggregateRows("agent", key: "agent_id"),
      // An activity never changes; it is found by its agent and time alone.
      AggregateRows(
        "activity", key: ["agent_id", "activity_time", "activity_id"], id: "activity_id", version: "1",
        isKnown: "substr(event_aggregate, 1, 4) = 'act_'"),
    ]
  }

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

  /// Activities that a partner's own system has recorded.
  public var postKinds: [PostKind] {
    let commands = ActivityCommands(environment: environment)
    return [
      PostKind("activities", summary: "Records what agents did, as RecordActivities does.") {
        (request: RecordActivitiesRequest, post, context) -> RecordActivitiesResponse in
        var request = request
        request.requestID = post.id
        return try await commands.record(request, context)
      }
    ]
  }

  /// AgentService and ProductCopyService.
  public var ownMethodBindings: [MethodBinding] {
    AgentEndpoint(environment: environment).methodBindings + products.methodBindings
  }
}
