import API
import RPCCore
import UseCases

/// mainstay.customer.v1.CustomerService.
struct CustomerEndpoint: CustomerServiceHandler {
  let commands: PartyCommands
  let queries: CustomerQueries
  let bulk: PartyImport

  init(environment: CustomerEnvironment) {
    commands = PartyCommands(environment: environment)
    queries = CustomerQueries(database: environment.database)
    bulk = PartyImport(environment: environment)
  }

  func createParty(_ request: CreatePartyRequest, _ context: ServerContext) async throws -> Party {
    try await commands.create(request, context)
  }

  func getParty(_ request: GetPartyRequest, _ context: ServerContext) async throws -> Party {
    try await queries.party(request)
  }

  func listParties(_ request: ListPartiesRequest, _ context: ServerContext) async throws -> ListPartiesResponse {
    try await queries.parties(request)
  }

  func updateParty(_ request: UpdatePartyRequest, _ context: ServerContext) async throws -> Party {
    try await commands.update(request, context)
  }

  func getCustomer(_ request: GetCustomerRequest, _ context: ServerContext) async throws -> Customer {
    try await queries.customer(request)
  }

  func listCustomers(_ request: ListCustomersRequest, _ context: ServerContext) async throws -> ListCustomersResponse {
    try await queries.customers(request)
  }

  func searchCustomers(
    _ request: SearchCustomersRequest, _ context: ServerContext
  ) async throws -> SearchCustomersResponse {
    try await queries.search(request)
  }

  func listMemberships(
    _ request: ListMembershipsRequest, _ context: ServerContext
  ) async throws -> ListMembershipsResponse {
    try await queries.memberships(request)
  }

  func importParties(
    _ requests: RequestReader<ImportPartiesRequest>, _ responses: ResponseWriter<ImportPartiesResponse>,
    _ context: ServerContext
  ) async throws {
    responses.sendHeaders()
    while let request = try await requests.next() {
      try await responses.write(try await bulk.take(request, context))
    }
  }
}
