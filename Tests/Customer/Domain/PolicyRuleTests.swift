import Core
import CustomerDomain
import Testing

@Suite struct PolicyRuleTests {
  private func faults(_ change: (inout PolicyFacts) throws -> Void) throws -> [Violation] {
    var policy = try makePolicy(state: .inForce)
    try change(&policy)
    var faults = ViolationList()
    policy.validate(into: &faults)
    return faults.violations
  }

  @Test func aPlainPolicyIsRight() throws {
    #expect(try faults { _ in } == [])
  }

  @Test func aStandingContractHasNoEndDate() throws {
    let found = try faults { $0.endDate = CivilDate("2026-05-01") }
    #expect(found.map(\.path) == ["end_date"])
    #expect(try faults { ($0.state, $0.endDate) = (.matured, CivilDate("2026-05-01")) } == [])
  }

  @Test func nothingHappensBeforeTheIssueDate() throws {
    let found = try faults {
      ($0.state, $0.endDate, $0.observedUntil) = (.expired, CivilDate("2025-05-01"), CivilDate("2025-05-01"))
    }
    #expect(found.map(\.path) == ["end_date", "observed_until_date"])
    let policy = try makePolicy(state: .inForce)
    #expect(throws: InvalidRecord([Violation("effective_date", "lies before issue_date")])) {
      try policy.moved(to: .surrendered, effective: try #require(CivilDate("2026-01-30")))
    }
  }

  @Test func amountsAreNotNegative() throws {
    let found = try faults {
      $0.annualPremium = Money(minorUnits: -1, currencyCode: "CNY")
      $0.sumAssured = Money(minorUnits: .min, currencyCode: "CNY")
    }
    #expect(found.map(\.path) == ["annual_premium.minor_units", "sum_assured.minor_units"])
  }

  @Test func everyFaultIsListedAtOnce() throws {
    let found = try faults {
      $0.productCode = ""
      $0.policyholderKey = String(repeating: "k", count: 129)
      $0.attributes = [SourceAttribute(name: "", value: String(repeating: "保", count: 1_025))]
    }
    #expect(
      found.map(\.path) == ["policyholder_source_key", "product_code", "attributes[0].name", "attributes[0].value"])
  }

  @Test func withoutAPolicyholderKeyThePolicysOwnCounts() throws {
    var policy = try makePolicy(state: .inForce)
    #expect(policy.policyholder == SourceReference(source: "core", key: "P1"))
    policy.policyholderKey = "C9"
    #expect(policy.policyholder == SourceReference(source: "core", key: "C9"))
  }
}
