import Core
import Demo
import Testing

private let full = DemoData()

/// All records as text: what two runs are compared by.
private func fingerprint(_ data: DemoData) -> UInt64 {
  var fingerprint = Fingerprint()
  for branch in data.branches { fingerprint.add("\(branch)") }
  for team in data.teams { fingerprint.add("\(team)") }
  for agent in data.agents { fingerprint.add("\(agent)") }
  for partner in data.partners { fingerprint.add("\(partner)") }
  for product in data.products { fingerprint.add("\(product)") }
  for party in data.parties { fingerprint.add("\(party)") }
  for policy in data.policies { fingerprint.add("\(policy)") }
  for instalment in data.instalments { fingerprint.add("\(instalment)") }
  for activity in data.activities { fingerprint.add("\(activity)") }
  return fingerprint.value
}

/// The share of the largest so many values in all of them.
private func share(of values: some Collection<Int>, largest count: Int) -> Double {
  let total = values.reduce(0, +)
  return Double(values.sorted(by: >).prefix(count).reduce(0, +)) / Double(max(1, total))
}

@Suite struct DemoDataTests {
  @Test func theNumbersAreThosePromised() {
    #expect(full.branches.count == 34)
    #expect(full.agents.count == 500)
    #expect(full.partners.count == 213)
    #expect(full.products.count == 60)
    #expect(full.parties.count == 13_000)
    #expect(Set(full.parties.map(\.customer)).count == 10_000)
    #expect(full.policies.count == 30_000)
    #expect((100_000...150_000).contains(full.instalments.count))
    #expect((12_000...25_000).contains(full.activities.count))
    #expect(Set(full.branches.map(\.code)).count == 34)
    #expect(Set(full.teams.map(\.branchCode)).count == 34, "every branch has a team")
    #expect(Set(full.agents.map(\.branchCode)).count == 34, "every branch has agents")
    #expect(Set(full.policies.map(\.channel)).count == 6)
  }

  @Test func aSmallSizeHasTheWholeOrganisation() {
    let small = DemoData(percent: 3)
    #expect(small.agents.count == 500 && small.partners.count == 213 && small.products.count == 60)
    #expect(small.parties.count == 390 && small.policies.count == 900)
  }

  @Test func theSameSeedGivesTheSameDataAndAnotherOneDoesNot() {
    let data = fingerprint(DemoData(percent: 2))
    #expect(data == fingerprint(DemoData(percent: 2)))
    #expect(data != fingerprint(DemoData(seed: 7, percent: 2)))
    #expect(
      data == 13_845_484_203_986_910_837,
      "on any machine and in any run; if the change is meant, raise DemoData.edition and put \(data) here")
  }

  @Test func keysAreUnique() {
    #expect(Set(full.agents.map(\.code)).count == full.agents.count)
    #expect(Set(full.agents.flatMap(\.licences).map(\.number)).count == full.agents.flatMap(\.licences).count)
    #expect(Set(full.partners.map(\.code)).count == full.partners.count)
    #expect(Set(full.products.map(\.code)).count == full.products.count)
    #expect(Set(full.products.map(\.name)).count == full.products.count)
    #expect(Set(full.parties.map { "\($0.source) \($0.sourceKey)" }).count == full.parties.count)
    #expect(Set(full.parties.map(\.sourceKey)).count == full.parties.count, "keys tell the source")
    #expect(Set(full.policies.map(\.sourceKey)).count == full.policies.count)
    #expect(Set(full.instalments.map { "\($0.policy) \($0.dueDate)" }).count == full.instalments.count)
  }

  @Test func businessIsAsConcentratedAsTheRequirementsSay() {
    let sold = full.policies.filter { !$0.partnerCode.isEmpty }
    let premium = Dictionary(grouping: sold, by: \.partnerCode).mapValues { $0.reduce(0) { $0 + $1.annualPremium } }
    #expect((0.67...0.73).contains(share(of: premium.values, largest: 20)), "P4: top 20 partners = 70 %")
    #expect((0.97...0.99).contains(share(of: premium.values, largest: 100)), "P4: top 100 partners = 98 %")
    let customers = Dictionary(grouping: full.policies.filter { !$0.agentCode.isEmpty }, by: \.agentCode)
      .mapValues { Set($0.map(\.holderKey)).count }
    #expect((0.77...0.83).contains(share(of: customers.values, largest: 50)), "kpi.md: top 10 % of agents = 80 %")
  }

  @Test func salesFollowTheSeasons() {
    let months = Dictionary(grouping: full.policies) { String($0.issueDate.description.prefix(7)) }.mapValues(\.count)
    #expect(months.count == 42)
    for year in 2023...2025 {
      let first = ["01", "02", "03"].reduce(0) { $0 + (months["\(year)-\($1)"] ?? 0) }
      let summer = ["06", "07", "08"].reduce(0) { $0 + (months["\(year)-\($1)"] ?? 0) }
      #expect(Double(first) > 1.6 * Double(summer), "the opening red season of \(year)")
      #expect((months["\(year)-12"] ?? 0) > (months["\(year)-10"] ?? 0), "the end of \(year)")
    }
  }

  @Test func peopleStandInSeveralSourcesAndAreWrittenInSeveralWays() {
    let people = Dictionary(grouping: full.parties, by: \.customer)
    #expect(people.values.count { $0.count == 2 } == 2_400)
    #expect(people.values.count { $0.count == 3 } == 300)
    #expect(people.values.allSatisfy { Set($0.map(\.source)).count == $0.count }, "once in each source")
    let differing = people.values.filter { $0.count > 1 }.count { Set($0.flatMap(\.phones)).count > 1 }
    #expect((800...2_000).contains(differing), "phones that differ between sources: \(differing)")
  }
}
