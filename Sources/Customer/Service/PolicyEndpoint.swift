import API
import Core
import RPCCore
import UseCases

/// mainstay.customer.v1.PolicyService.
struct PolicyEndpoint: PolicyServiceHandler {
  let commands: PolicyCommands
  let repository: PolicyRepository
  let bulk: PolicyImport
  let premiums: PremiumImport

  init(environment: CustomerEnvironment) {
    commands = PolicyCommands(environment: environment)
    repository = PolicyRepository(database: environment.database)
    bulk = PolicyImport(environment: environment)
    premiums = PremiumImport(environment: environment)
  }

  func createPolicy(_ request: CreatePolicyRequest, _ context: ServerContext) async throws -> Policy {
    try await commands.create(request, context)
  }

  func getPolicy(_ request: GetPolicyRequest, _ context: ServerContext) async throws -> Policy {
    let id = try PolicyID.named(request.policyID, "policy_id")
    guard let record = try await repository.policy(id) else { throw RPCError.noPolicy(id.description) }
    return try record.message()
  }

  func listPolicies(_ request: ListPoliciesRequest, _ context: ServerContext) async throws -> ListPoliciesResponse {
    let page = try PageRequest(
      size: request.pageSize, token: request.pageToken, standard: 50, maximum: 1_000,
      query: ["policies", request.policyholderPartyID, request.source, request.customerID])
    let records = try await repository.policies(
      try PolicyFilter(request), after: try page.textPlace(), limit: page.size + 1)
    let cut = page.cut(records) { $0.payload.count }
    return ListPoliciesResponse(
      policies: try cut.items.map { try $0.message() },
      nextPageToken: cut.hasMore ? page.token(after: cut.items.last?.policyID.description ?? "") : "")
  }

  func changePolicyState(_ request: ChangePolicyStateRequest, _ context: ServerContext) async throws -> Policy {
    try await commands.changeState(request, context)
  }

  func importPolicies(
    _ requests: RequestReader<ImportPoliciesRequest>, _ responses: ResponseWriter<ImportPoliciesResponse>,
    _ context: ServerContext
  ) async throws {
    responses.sendHeaders()
    while let request = try await requests.next() {
      try await responses.write(try await bulk.take(request, context))
    }
  }
}

extension PolicyEndpoint {
  func importPremiums(
    _ requests: RequestReader<ImportPremiumsRequest>, _ responses: ResponseWriter<ImportPremiumsResponse>,
    _ context: ServerContext
  ) async throws {
    responses.sendHeaders()
    while let request = try await requests.next() {
      try await responses.write(try await premiums.take(request, context))
    }
  }

  func listPremiums(_ request: ListPremiumsRequest, _ context: ServerContext) async throws -> ListPremiumsResponse {
    let id = try PolicyID.named(request.policyID, "policy_id")
    guard try await repository.policy(id) != nil else { throw RPCError.noPolicy(id.description) }
    let page = try PageRequest(
      size: request.pageSize, token: request.pageToken, standard: 50, maximum: 1_000,
      query: ["premiums", request.policyID])
    let records = try await PremiumRepository(database: repository.database).premiums(
      policy: id, after: try page.textPlace(), limit: page.size + 1)
    let cut = page.cut(records) { $0.payload.count }
    return ListPremiumsResponse(
      premiums: try cut.items.map { try $0.message() },
      nextPageToken: cut.hasMore ? page.token(after: cut.items.last?.dueDate.description ?? "") : "")
  }
}

extension PolicyFilter {
  /// The filter that a request names; more than one is a mistake.
  fileprivate init(_ request: ListPoliciesRequest) throws {
    let named = [
      ("policyholder_party_id", request.policyholderPartyID), ("source", request.source),
      ("customer_id", request.customerID),
    ].filter { !$0.1.isEmpty }
    if named.count > 1 {
      throw RPCError.badRequest(named.map { FieldViolation($0.0, "at most one of the three filters may be given") })
    }
    switch named.first?.0 {
    case "policyholder_party_id":
      self = .policyholder(try PartyID.named(request.policyholderPartyID, "policyholder_party_id"))
    case "source": self = .source(request.source)
    case "customer_id": self = .customer(try CustomerID.named(request.customerID, "customer_id"))
    default: self = .all
    }
  }
}
