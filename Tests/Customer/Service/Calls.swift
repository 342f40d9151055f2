import API
import MainstayTesting
import Protobuf
import RPCCore

// The service's calls by their names, for tests.

extension TestService {
  func create(
    _ party: Party, requestID: String = "", validateOnly: Bool = false, caller: String = "tester"
  ) async throws -> Party {
    try await unary(
      CustomerServiceMethods.createParty,
      CreatePartyRequest(party: party, requestID: requestID, validateOnly: validateOnly), caller: caller)
  }

  func update(_ party: Party, _ paths: String..., requestID: String = "", validateOnly: Bool = false) async throws
    -> Party
  {
    try await unary(
      CustomerServiceMethods.updateParty,
      UpdatePartyRequest(
        party: party, updateMask: GoogleFieldMask(paths: paths), requestID: requestID, validateOnly: validateOnly))
  }

  func party(_ id: String) async throws -> Party {
    try await unary(CustomerServiceMethods.getParty, GetPartyRequest(partyID: id))
  }

  func customer(_ id: String) async throws -> Customer {
    try await unary(CustomerServiceMethods.getCustomer, GetCustomerRequest(customerID: id))
  }

  func search(_ query: String, pageSize: Int32 = 0, pageToken: String = "") async throws -> SearchCustomersResponse {
    try await unary(
      CustomerServiceMethods.searchCustomers,
      SearchCustomersRequest(query: query, pageSize: pageSize, pageToken: pageToken))
  }

  func names(_ query: String) async throws -> [String] { try await search(query).customers.map(\.displayName) }

  func importParties(_ source: String, _ parties: [Party], firstLine: Int64 = 2) async throws -> ImportPartiesResponse {
    let rows = parties.enumerated().map { ImportPartyRow(line: firstLine + Int64($0.offset), party: $0.element) }
    return try await unary(CustomerServiceMethods.importParties, ImportPartiesRequest(source: source, rows: rows))
  }

  func memberships(_ source: String) async throws -> [Membership] {
    let reply: ListMembershipsResponse = try await unary(
      CustomerServiceMethods.listMemberships, ListMembershipsRequest(source: source, pageSize: 10_000))
    return reply.memberships
  }

  func create(_ policy: Policy, requestID: String = "", validateOnly: Bool = false) async throws -> Policy {
    try await unary(
      PolicyServiceMethods.createPolicy,
      CreatePolicyRequest(policy: policy, requestID: requestID, validateOnly: validateOnly))
  }

  func policy(_ id: String) async throws -> Policy {
    try await unary(PolicyServiceMethods.getPolicy, GetPolicyRequest(policyID: id))
  }

  func change(_ request: ChangePolicyStateRequest) async throws -> Policy {
    try await unary(PolicyServiceMethods.changePolicyState, request)
  }

  func list(_ request: ListPoliciesRequest) async throws -> ListPoliciesResponse {
    try await unary(PolicyServiceMethods.listPolicies, request)
  }

  func importPolicies(_ source: String, _ policies: [Policy]) async throws -> ImportPoliciesResponse {
    let rows = policies.enumerated().map { ImportPolicyRow(line: 2 + Int64($0.offset), policy: $0.element) }
    return try await unary(PolicyServiceMethods.importPolicies, ImportPoliciesRequest(source: source, rows: rows))
  }
}

/// A person of a source.
func person(
  _ key: String, _ family: String = "", _ given: String = "", source: String = "crm", phones: [String] = []
) -> Party {
  Party(
    source: source, sourceKey: key, kind: .person(Person(familyName: family, givenName: given)), phones: phones)
}

/// A company of a source.
func company(_ key: String, _ name: String, short: String = "") -> Party {
  Party(source: "crm", sourceKey: key, kind: .company(Company(name: name, shortName: short)))
}

/// A policy of the core system.
func policy(_ number: String, _ state: PolicyState = .inForce, holder: String = "", product: String = "WL") -> Policy {
  Policy(
    source: "core", sourceKey: number, policyholderSourceKey: holder, productCode: product, state: state,
    annualPremium: Money(currencyCode: "CNY", minorUnits: 500_000), premiumFrequency: .annual,
    issueDate: CalendarDate(year: 2026, month: 1, day: 31))
}
