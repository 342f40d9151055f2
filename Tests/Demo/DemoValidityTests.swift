import AgentDomain
import Core
import CustomerDomain
import Demo
import PartnerDomain
import Testing

private let full = DemoData()

/// Every record is one that the services take: asked of the rules themselves.
@Suite struct DemoValidityTests {
  private func faults<Record>(_ records: [Record], _ check: (Record, inout ViolationList) -> Void) -> [Violation] {
    records.flatMap { record in
      var faults = ViolationList()
      check(record, &faults)
      return faults.violations
    }
  }

  @Test func partiesAreValid() {
    let found = faults(full.parties) { party, faults in
      let subject: Subject =
        switch party.subject {
        case .company(let name, let short): .company(Company(name: name, shortName: short))
        case .person(let family, let given, let full, let birthDate, let isFemale):
          .person(
            Person(
              familyName: family, givenName: given, fullName: full, birthDate: birthDate,
              sex: isFemale.map { $0 ? .female : .male }))
        }
      PartyFacts(
        reference: SourceReference(source: party.source, key: party.sourceKey), subject: subject,
        identifiers: party.identifiers.map { PartyIdentifier(kind: $0.kind, issuer: $0.issuer, value: $0.value) },
        phones: party.phones, emails: party.emails,
        addresses: [
          PostalAddress(
            lines: [party.street], district: party.district, city: party.city, province: party.province,
            postalCode: party.postalCode, countryCode: "CN")
        ]
      ).validate(into: &faults)
      for identifier in party.identifiers where identifier.kind == .unifiedSocialCreditCode {
        if CompanyCode.canonical(identifier.value) == nil { faults.add("uscc", identifier.value) }
      }
    }
    #expect(found.isEmpty, "\(found.prefix(3))")
  }

  @Test func policiesAndTheirHoldersAreValid() {
    let holders = Set(full.parties.map { SourceReference(source: $0.source, key: $0.sourceKey) })
    let found = faults(full.policies) { policy, faults in
      var facts = PolicyFacts(
        reference: SourceReference(source: policy.source, key: policy.sourceKey), policyholderKey: policy.holderKey,
        productCode: policy.productCode, channel: policy.channel, state: policy.state,
        annualPremium: Money(minorUnits: Int64(policy.annualPremium), currencyCode: "CNY"),
        premiumFrequency: policy.frequency, issueDate: policy.issueDate, endDate: policy.endDate)
      (facts.agentID, facts.partnerID, facts.branchID) = (policy.agentCode, policy.partnerCode, policy.branchCode)
      facts.endCause = policy.endCause
      facts.validate(into: &faults)
      if policy.state.isFinal != (policy.endDate != nil) { faults.add("end_date", "belongs to an ended contract") }
      if !holders.contains(facts.policyholder) { faults.add("policyholder", "is nobody") }
    }
    #expect(found.isEmpty, "\(found.prefix(3))")
  }

  @Test func instalmentsAddUpToTheYearsPremium() {
    let found = full.instalments.filter { instalment in
      let policy = full.policies[instalment.policy]
      return instalment.due <= 0 || policy.annualPremium % instalment.due != 0
        || ![1, 2, 4, 12].contains(policy.annualPremium / instalment.due)
    }
    #expect(found.isEmpty, "\(found.prefix(3))")
  }

  @Test func agentsAreValid() {
    let clock = SystemClock()
    let branch = BranchID(clock: clock, random: SystemRandom())
    let partner = PartnerID(clock: clock, random: SystemRandom())
    let found = faults(full.agents) { agent, faults in
      AgentFacts(
        code: agent.code, name: agent.name, type: agent.kind, branchID: branch,
        partnerID: agent.partnerCode.isEmpty ? nil : partner, grade: agent.grade, joinDate: agent.joinDate,
        licences: agent.licences.map {
          Licence(number: $0.number, line: $0.line, region: $0.region, validFrom: $0.from, validUntil: $0.until)
        }
      ).validate(into: &faults)
      if let since = agent.stateDate, since < agent.joinDate { faults.add("state", "before it joined") }
    }
    #expect(found.isEmpty, "\(found.prefix(3))")
  }

  @Test func partnersAndProductsAreValid() {
    let partners = faults(full.partners) { partner, faults in
      PartnerFacts(
        code: partner.code, name: partner.name, companyCode: partner.companyCode, contractFrom: partner.contractFrom,
        contractUntil: partner.contractUntil
      ).validate(into: &faults)
    }
    #expect(partners.isEmpty, "\(partners.prefix(3))")
    let products = faults(full.products) { product, faults in
      ProductFacts(
        code: product.code, name: product.name, versionDays: product.versionDays,
        windows: product.windows.map { SaleWindow(channel: $0.channel, from: $0.from, until: $0.until) }
      ).validate(into: &faults)
    }
    #expect(products.isEmpty, "\(products.prefix(3))")
  }

  @Test func noIdentityNumberCanBeSomebodys() {
    let numbers = full.parties.flatMap(\.identifiers).filter { $0.kind == .residentID }.map(\.value)
    #expect(numbers.count > 10_000)
    #expect(numbers.allSatisfy { $0.count == 18 && $0.dropFirst(2).hasPrefix("9900") }, "a place that does not exist")
  }
}
