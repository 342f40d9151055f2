import CustomerDomain
import Core
import Demo
import Testing

private let full = DemoData()

/// What became of the policies.
@Suite struct DemoCourseTests {
  private let instalments = Dictionary(grouping: full.instalments, by: \.policy)

  /// Premium of month 13 that was received within 60 days of grace ÷ what was due.
  private func persistency(_ wanted: (DemoPolicy) -> Bool) -> Double {
    var (due, received) = (0, 0)
    for (place, policy) in full.policies.enumerated() where policy.frequency != .single && wanted(policy) {
      guard ![.cancelled, .proposed].contains(policy.state) else { continue }
      let day = policy.issueDate.addingMonths(12)
      let measured = CivilDate(daysSinceEpoch: day.daysSinceEpoch + 60)
      guard measured <= DemoTime.asOf, !(policy.endCause == .death && policy.endDate.map { $0 <= measured } ?? true)
      else { continue }
      due += policy.annualPremium
      let paid = instalments[place, default: []].first { $0.dueDate == day && !$0.isAutomaticLoan }?.receivedDate
      if let paid, paid <= measured { received += policy.annualPremium }
    }
    return Double(received) / Double(max(1, due))
  }

  @Test func channelsKeepTheirPremiumDifferently() {
    let agents = persistency { $0.channel == .individualAgent }
    let banks = persistency { $0.channel == .bancassurance }
    #expect((0.85...0.93).contains(agents), "\(agents)")
    #expect((0.74...0.84).contains(banks), "\(banks)")
    #expect(banks < agents - 0.05, "bancassurance keeps less than agents")
    #expect(persistency { $0.channel == .telesales } < banks + 0.02)
    #expect(persistency { $0.channel == .group } > agents)
  }

  @Test func withdrawnProductsKeepLess() {
    let withdrawn = Set(full.products.filter(\.isWithdrawn).map(\.code))
    #expect(withdrawn.count == 8)
    let theirs = persistency { withdrawn.contains($0.productCode) }
    let others = persistency { !withdrawn.contains($0.productCode) }
    #expect(theirs < others - 0.08, "\(theirs) against \(others)")
  }

  @Test func everyCauseOfAnEndHappens() {
    let ended = full.policies.filter { $0.endDate != nil && $0.state != .cancelled }
    for cause in EndCause.allCases { #expect(ended.count { $0.endCause == cause } >= 10, "\(cause)") }
    #expect((500...900).contains(full.policies.count { $0.state == .cancelled }), "given back in the hesitation period")
    for state in [PolicyState.proposed, .inHesitation, .grace, .suspended, .paidUp, .premiumWaived] {
      #expect(full.policies.contains { $0.state == state }, "\(state)")
    }
  }

  @Test func everyPolicyIsSoldWithinAWindowOfItsProduct() {
    let products = Dictionary(uniqueKeysWithValues: full.products.map { ($0.code, $0) })
    let wrong = full.policies.filter { policy in
      guard let product = products[policy.productCode], let first = product.versionDays.first else { return true }
      return first > policy.issueDate || policy.annualPremium < product.minimumAnnualPremium
        || !product.windows.contains { $0.channel == policy.channel && $0.contains(policy.issueDate) }
    }
    #expect(wrong.isEmpty, "\(wrong.count), first \(wrong.first.map { "\($0)" } ?? "")")
  }

  @Test func everySellerWorksOnTheDayOfTheSaleAndHasALicence() {
    let agents = Dictionary(uniqueKeysWithValues: full.agents.map { ($0.code, $0) })
    let sales = full.policies.filter { !$0.agentCode.isEmpty }
    #expect(sales.count > 20_000)
    let wrong = sales.filter { policy in
      guard let agent = agents[policy.agentCode], agent.works(on: policy.issueDate) else { return true }
      return !agent.licences.contains { licence in
        licence.from <= policy.issueDate && licence.until.map { policy.issueDate <= $0 } ?? true
      }
    }
    #expect(wrong.isEmpty, "\(wrong.count), first \(wrong.first.map { "\($0)" } ?? "")")
  }

  @Test func nothingHappensAfterTheEndOfTheHistory() {
    let last = DemoTime.asOf
    #expect(full.policies.allSatisfy { $0.issueDate >= DemoTime.begin && $0.issueDate <= last })
    #expect(full.policies.allSatisfy { $0.endDate.map { $0 <= last } ?? true })
    #expect(full.instalments.allSatisfy { $0.dueDate <= last && $0.receivedDate.map { $0 <= last } ?? true })
    #expect(full.agents.allSatisfy { $0.joinDate <= last && $0.stateDate.map { $0 <= last } ?? true })
    #expect(full.products.allSatisfy { $0.versionDays.allSatisfy { $0 <= last } })
    #expect(full.activities.allSatisfy { $0.seconds < (last.daysSinceEpoch + 1) * 86_400 - 8 * 3_600 })
  }

  @Test func noPremiumIsDueAfterTheEnd() {
    let late = full.instalments.filter { instalment in
      let policy = full.policies[instalment.policy]
      return instalment.dueDate < policy.issueDate || policy.endDate.map { instalment.dueDate >= $0 } ?? false
    }
    #expect(late.isEmpty, "\(late.count), first \(late.first.map { "\($0)" } ?? "")")
  }
}
