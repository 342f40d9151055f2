import API
import MainstayTesting
import RPCCore
import Testing

@Suite struct PolicyCallTests {
  @Test func anUnknownPolicyholderBecomesAPartyAndACustomer() async throws {
    let service = try await TestService()
    let created = try await service.create(policy("P1", holder: "C1"))
    #expect(created.policyID.hasPrefix("pol_") && created.policyholderPartyID.hasPrefix("par_"))
    #expect(try await service.policy(created.policyID) == created)
    let holder = try await service.party(created.policyholderPartyID)
    #expect((holder.source, holder.sourceKey, holder.kind) == ("core", "C1", .person(Person())))
    #expect(try await service.customer(holder.customerID).parties == [holder])
    let second = try await service.create(policy("P2", holder: "C1"))
    #expect(second.policyholderPartyID == created.policyholderPartyID)
    #expect(try await service.create(policy("P3")).policyholderPartyID != created.policyholderPartyID)
    #expect(try await service.outbox().map(\.type).filter { $0 == PartyChanged.fullName }.count == 2)
  }

  @Test func aPolicyholderMayBeNamed() async throws {
    let service = try await TestService()
    let party = try await service.create(person("1", "王"))
    var given = policy("P1")
    given.policyholderPartyID = party.partyID
    #expect(try await service.create(given).policyholderPartyID == party.partyID)
    given.sourceKey = "P2"
    given.policyholderPartyID = "par_01J9ZQ3M5V8XK2T4R6W7Y0ABCD"
    #expect(await failure { try await service.create(given) }?.code == .notFound)
    #expect(try await service.number("SELECT count(*) FROM party") == 1)
  }

  @Test func aPolicyBeginsInAStateInWhichContractsBegin() async throws {
    let service = try await TestService()
    #expect(await failure { try await service.create(policy("P1", .grace)) }?.fields == ["policy.state"])
    #expect(await failure { try await service.create(policy("P1", .unspecified)) }?.fields == ["policy.state"])
    #expect(
      await failure { try await service.create(Policy()) }?.fields == [
        "policy.state", "policy.issue_date", "policy.source", "policy.source_key", "policy.product_code",
      ])
    for (index, state) in [PolicyState.proposed, .inHesitation, .inForce].enumerated() {
      #expect(try await service.create(policy("P\(index)", state)).state == state)
    }
    #expect(await failure { try await service.create(policy("P1")) }?.code == .alreadyExists)
  }

  @Test func aLegalTransitionIsMadeAndAnIllegalOneRefused() async throws {
    let service = try await TestService()
    let created = try await service.create(policy("P1", .proposed))
    let inForce = try await service.change(ChangePolicyStateRequest(policyID: created.policyID, state: .inForce))
    #expect(inForce.state == .inForce && inForce.etag != created.etag)
    let illegal = await failure {
      try await service.change(ChangePolicyStateRequest(policyID: created.policyID, state: .proposed))
    }
    #expect(illegal?.code == .failedPrecondition)
    #expect(illegal?.message.contains("SURRENDERED") == true)
    let old = await failure {
      try await service.change(ChangePolicyStateRequest(policyID: created.policyID, state: .grace, etag: created.etag))
    }
    #expect(old?.code == .aborted)
    let day = CalendarDate(year: 2026, month: 6, day: 30)
    let ended = try await service.change(
      ChangePolicyStateRequest(policyID: created.policyID, state: .surrendered, effectiveDate: day))
    #expect(ended.endDate == day)
    #expect(try await service.policy(created.policyID) == ended)
  }

  @Test func aChangeOfStateSaysWhatIsWrongWithIt() async throws {
    let service = try await TestService()
    let created = try await service.create(policy("P1"))
    func fields(_ change: (inout ChangePolicyStateRequest) -> Void) async -> [String]? {
      var request = ChangePolicyStateRequest(policyID: created.policyID, state: .grace)
      change(&request)
      return await failure { [request] in try await service.change(request) }?.fields
    }
    #expect(await fields { $0.state = .unspecified } == ["state"])
    #expect(await fields { $0.effectiveDate = CalendarDate(year: 2026, month: 2, day: 30) } == ["effective_date"])
    #expect(await fields { $0.effectiveDate = CalendarDate(year: 2026, month: 1, day: 30) } == ["effective_date"])
    #expect(await fields { $0.reason = String(repeating: "r", count: 257) } == ["reason"])
    #expect(await fields { $0.policyID = "P1" } == ["policy_id"])
    #expect(await fields { $0.validateOnly = true } == nil)
    #expect(try await service.policy(created.policyID) == created)
  }

  @Test func policiesAreListedByPolicyholderSourceAndCustomer() async throws {
    let service = try await TestService()
    var ids: [String] = []
    for number in 0..<5 {
      ids.append(try await service.create(policy("P\(number)", holder: number < 3 ? "C1" : "C2")).policyID)
    }
    let holder = try await service.policy(ids[0]).policyholderPartyID
    let customer = try await service.party(holder).customerID
    func list(_ request: ListPoliciesRequest) async throws -> [String] {
      try await service.list(request).policies.map(\.policyID)
    }
    #expect(try await list(ListPoliciesRequest()) == ids)
    #expect(try await list(ListPoliciesRequest(source: "core")) == ids)
    #expect(try await list(ListPoliciesRequest(source: "other")) == [])
    #expect(try await list(ListPoliciesRequest(policyholderPartyID: holder)) == Array(ids[0..<3]))
    #expect(try await list(ListPoliciesRequest(customerID: customer)) == Array(ids[0..<3]))
    let first = try await service.list(ListPoliciesRequest(pageSize: 2, customerID: customer))
    let rest = ListPoliciesRequest(pageToken: first.nextPageToken, customerID: customer)
    #expect(try await list(rest) == [ids[2]])
    let both = await failure {
      try await service.list(ListPoliciesRequest(policyholderPartyID: holder, customerID: customer))
    }
    #expect(both?.fields == ["policyholder_party_id", "customer_id"])
  }
}

@Suite struct PolicyImportTests {
  @Test func anImportMayBeginInAnyStateAndIsRepeatable() async throws {
    let service = try await TestService()
    let rows = (1...12).map { policy("P\($0)", PolicyState(rawValue: Int32($0)), holder: "C\($0 % 3)") }
    let first = try await service.importPolicies("core", rows)
    #expect((first.created, first.rejected) == (12, []))
    #expect(try await service.number("SELECT count(*) FROM party") == 3)
    let again = try await service.importPolicies("core", rows)
    #expect((again.created, again.updated, again.unchanged) == (0, 0, 12))
    #expect(try await service.outbox().count == 15)
  }

  @Test func policyholdersAreFoundByTheirKeyInTheSource() async throws {
    let service = try await TestService()
    _ = try await service.importParties("core", [person("C1", "王", "丽华")])
    _ = try await service.importPolicies("core", [policy("P1", holder: "C1"), policy("P2")])
    let members = try await service.memberships("core")
    #expect(members.map(\.sourceKey) == ["C1", "P2"])
    let found = try await service.list(ListPoliciesRequest(policyholderPartyID: members[0].partyID))
    #expect(found.policies.map(\.sourceKey) == ["P1"])
  }

  @Test func aPolicyholderOfWhomOnlyTheKeyIsKnownMayTurnOutToBeACompany() async throws {
    let service = try await TestService()
    _ = try await service.importPolicies("crm", [policy("P1", holder: "C1")])
    let before = try await service.memberships("crm")
    let reply = try await service.importParties("crm", [company("C1", "平安")])
    #expect((reply.updated, reply.rejected) == (1, []))
    #expect(try await service.memberships("crm") == before)
    #expect(try await service.names("平安") == ["平安"])
  }

  @Test func aRowThatWouldNeedAnIllegalTransitionIsRejected() async throws {
    let service = try await TestService()
    _ = try await service.importPolicies("core", [policy("P1", .surrendered), policy("P2", .inForce)])
    let reply = try await service.importPolicies(
      "core", [policy("P1", .inForce), policy("P2", .suspended), policy("P2", .proposed)])
    #expect((reply.updated, reply.rejected.map(\.line)) == (1, [2, 4]))
    #expect(
      reply.rejected.first?.reason
        == "state: no transition from SURRENDERED to IN_FORCE: SURRENDERED ends the contract")
    let policies = try await service.list(ListPoliciesRequest()).policies
    #expect(policies.map(\.state) == [.surrendered, .suspended])
  }

  @Test func badRowsAreRejectedAndCreateNoPolicyholder() async throws {
    let service = try await TestService()
    var broken = policy("P1", holder: "C1")
    broken.annualPremium = Money(currencyCode: "cny", minorUnits: 1)
    broken.issueDate = nil
    let reply = try await service.importPolicies("core", [broken, policy("P2", holder: "C2", product: "")])
    #expect(
      reply.rejected.map(\.reason) == [
        "issue_date: is required; "
          + "annual_premium.currency_code: must be three capital letters of ISO 4217, for example \"CNY\"",
        "product_code: is empty; 1 to 64 characters are expected",
      ])
    #expect(try await service.number("SELECT count(*) FROM party") == 0)
  }

  @Test func aPolicyMayGoToAnotherPolicyholder() async throws {
    let service = try await TestService()
    _ = try await service.importPolicies("core", [policy("P1", holder: "C1")])
    let before = try #require(try await service.list(ListPoliciesRequest()).policies.first)
    let reply = try await service.importPolicies("core", [policy("P1", holder: "C2")])
    #expect(reply.updated == 1)
    let after = try await service.policy(before.policyID)
    #expect(after.policyholderPartyID != before.policyholderPartyID)
    #expect(try await service.party(after.policyholderPartyID).sourceKey == "C2")
  }

  @Test func concurrentImportsCreateEachPolicyAndPolicyholderOnce() async throws {
    let service = try await TestService()
    let rows = (0..<200).map { policy("P\($0)", holder: "C\($0 / 4)") }
    let created = try await withThrowingTaskGroup(of: Int64.self) { group in
      for _ in 0..<4 {
        group.addTask {
          var created: Int64 = 0
          for start in stride(from: 0, to: 200, by: 40) {
            created += try await service.importPolicies("core", Array(rows[start..<start + 40])).created
          }
          return created
        }
      }
      return try await group.reduce(0, +)
    }
    #expect(created == 200)
    #expect(try await service.number("SELECT count(*) FROM policy") == 200)
    #expect(try await service.number("SELECT count(*) FROM party") == 50)
    #expect(try await service.outbox().count == 250)
  }
}
