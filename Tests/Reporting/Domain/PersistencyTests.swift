import Core
import ReportingDomain
import Testing

private func day(_ text: String) -> CivilDate { CivilDate(text) ?? CivilDate(daysSinceEpoch: 0) }

private func yuan(_ amount: Int64) -> Money { Money(minorUnits: amount * 100, currencyCode: "CNY") ?? .zeroYuan }

private let today = day("2026-06-30")

@Suite struct DurationTests {
  @Test func aMonthIsReachedWhenItsDayHasCome() {
    let issued = day("2025-01-31")
    #expect(PolicyDuration(from: issued, to: day("2025-02-27")) < PolicyDuration(months: 1))
    #expect(PolicyDuration(from: issued, to: day("2025-02-28")) == PolicyDuration(months: 1))
    #expect(PolicyDuration(from: issued, to: day("2026-01-30")) < PolicyDuration(months: 12))
    #expect(PolicyDuration(from: issued, to: day("2026-01-31")) == PolicyDuration(months: 12))
    #expect(PolicyDuration(from: issued, to: issued).micromonths == 0)
  }

  @Test func laterDaysAreNeverShorter() {
    for start in ["2024-02-29", "2023-12-31", "2024-01-30", "2025-03-01"].map(day) {
      var last = PolicyDuration(micromonths: -1)
      for days in 0..<1_500 {
        let duration = PolicyDuration(from: start, to: CivilDate(daysSinceEpoch: start.daysSinceEpoch + days))
        #expect(duration > last)
        last = duration
      }
    }
  }

  @Test func theExactDurationCountsOverTheDates() {
    var policy = PolicyFact(policyID: "p", outcome: .ended(.surrender), issueDate: day("2025-01-01"))
    #expect(policy.duration(today: today) == nil)
    policy.endDate = day("2025-02-01")
    #expect(policy.duration(today: today) == PolicyDuration(months: 1))
    policy.exactMicromonths = 999_999
    #expect(policy.duration(today: today)?.micromonths == 999_999)
  }
}

@Suite struct ShareTests {
  @Test func decimalsAreRoundedHalfToEven() {
    #expect(Share(part: 1, whole: 3).decimal() == "0.333333")
    #expect(Share(part: 2, whole: 3).decimal() == "0.666667")
    #expect(Share(part: 1, whole: 8).decimal(2) == "0.12")
    #expect(Share(part: 3, whole: 8).decimal(2) == "0.38")
    #expect(Share(part: 5, whole: 4).decimal(0) == "1")
    #expect(Share(part: -1, whole: 3).decimal(2) == "-0.33")
    #expect(Share(part: 7, whole: 7).decimal(1) == "1.0")
    #expect(Share(part: 1, whole: 0).decimal() == nil)
  }
}

@Suite struct SurvivalTests {
  private func policy(_ months: Int, _ outcome: PolicyFact.Outcome) -> PolicyFact {
    PolicyFact(
      policyID: "p", outcome: outcome, issueDate: day("2020-01-01"), exactMicromonths: Int64(months) * 1_000_000)
  }

  @Test func whoIsNotObservedLongEnoughCannotBeJudged() {
    var figure = SurvivalPersistency(months: [13, 25])
    for fact in [
      policy(13, .inForce), policy(12, .inForce), policy(30, .ended(.death)), policy(12, .ended(.surrender)),
      policy(25, .ended(.other)),
    ] { figure.add(fact, weight: 1, today: today) }
    #expect(figure.shares == [Share(part: 3, whole: 4), Share(part: 2, whole: 3)])
    #expect(figure.unknown == 0)
  }

  @Test func aCohortThatIsTooYoungHasNoFigureYet() {
    var figure = SurvivalPersistency(months: [1, 13])
    for (outcome, end) in [(.inForce, nil), (.ended(.surrender), "2026-04-01")] as [(PolicyFact.Outcome, String?)] {
      figure.add(
        PolicyFact(policyID: "p", outcome: outcome, issueDate: day("2026-02-01"), endDate: end.map(day)), weight: 1,
        today: today)
    }
    #expect(figure.shares == [Share(part: 2, whole: 2), Share()])
    #expect(figure.shares.last?.decimal() == nil)
    // On the day on which month 13 has come it has one.
    var later = SurvivalPersistency(months: [13])
    later.add(
      PolicyFact(
        policyID: "p", outcome: .ended(.surrender), issueDate: day("2025-05-30"), endDate: day("2025-09-01")),
      weight: 1, today: day("2026-06-29"))
    #expect(later.shares == [Share()])
    later.add(
      PolicyFact(
        policyID: "p", outcome: .ended(.surrender), issueDate: day("2025-05-30"), endDate: day("2025-09-01")),
      weight: 1, today: today)
    #expect(later.shares == [Share(part: 0, whole: 1)])
  }

  @Test func whatASourceToldUpToADayIsNotJudgedBeyondIt() {
    var figure = SurvivalPersistency(months: [12, 13])
    figure.add(
      PolicyFact(
        policyID: "p", outcome: .ended(.surrender), issueDate: day("2024-05-30"), endDate: day("2024-09-01"),
        observedUntil: day("2025-05-30")), weight: 1, today: today)
    #expect(figure.shares == [Share(part: 0, whole: 1), Share()])
  }

  @Test func aPolicyStandsAsItStoodOnADay() throws {
    var fact = PolicyFact(
      policyID: "p", outcome: .ended(.surrender), issueDate: day("2024-01-31"), endDate: day("2025-01-31"))
    #expect(fact.asOf(day("2024-01-30")) == nil)
    let before = try #require(fact.asOf(day("2025-01-30")))
    #expect(before.outcome == .inForce && before.endDate == nil)
    let duration = try #require(before.duration(today: today))
    #expect(duration < PolicyDuration(months: 12) && duration > PolicyDuration(months: 11))
    #expect(fact.asOf(day("2025-01-31"))?.duration(today: today) == PolicyDuration(months: 12))
    // Where only the time that it stood is known, that tells.
    (fact.endDate, fact.exactMicromonths) = (nil, 12_500_000)
    #expect(fact.asOf(day("2025-01-31"))?.outcome == .inForce)
    #expect(fact.asOf(day("2025-01-31"))?.duration(today: today) == PolicyDuration(months: 12))
    #expect(fact.asOf(day("2025-03-31"))?.outcome == .ended(.surrender))
    #expect(fact.asOf(day("2025-03-31"))?.duration(today: today)?.micromonths == 12_500_000)
    // What a source saw last stays so.
    let seen = PolicyFact(
      policyID: "p", outcome: .inForce, issueDate: day("2024-01-31"), observedUntil: day("2024-07-31"))
    #expect(seen.asOf(today)?.duration(today: today) == PolicyDuration(months: 6))
  }

  @Test func eventsComeBeforeTheEndOfObservation() {
    var curve = SurvivalCurve(event: .surrender)
    for fact in [
      policy(1, .ended(.surrender)), policy(2, .ended(.surrender)), policy(2, .inForce), policy(3, .ended(.death)),
      policy(4, .ended(.surrender)),
    ] { curve.add(fact, today: today) }
    #expect(curve.points.map(\.atRisk) == [5, 4, 1])
    #expect(curve.points.map(\.survival) == [0.8, 0.8 * 0.75, 0])
    let values = curve.values(at: [0, 1, 2, 3, 4, 5])
    #expect(values.map(\.survival) == [1, 0.8, 0.8 * 0.75, 0.8 * 0.75, 0, 0])
    #expect(values.map(\.atRisk) == [5, 5, 4, 2, 1, 0])
    #expect(values.map(\.events) == [0, 1, 2, 2, 3, 3])
  }

  @Test func anyEndCountsDeathsToo() {
    var curve = SurvivalCurve(event: .anyEnd)
    for fact in [policy(1, .ended(.death)), policy(2, .inForce)] { curve.add(fact, today: today) }
    #expect(curve.values(at: [1, 2, 3]).map(\.survival) == [0.5, 0.5, nil])
  }
}

/// The cohort of March 2025, worked by hand: of 5,500 yuan a year that came in at first, 2,200 came in the second year.
@Suite struct PremiumPersistencyTests {
  private let issued = day("2025-03-10")

  private func paid(_ dueDate: String, _ amount: Int64, on date: String?, loan: Bool = false) -> PremiumFact {
    PremiumFact(
      dueDate: day(dueDate), due: yuan(amount), receivedDate: date.map(day),
      receivedMinorUnits: date == nil ? 0 : amount * 100, isAutomaticLoan: loan)
  }

  private func policy(
    _ outcome: PolicyFact.Outcome = .inForce, _ frequency: PremiumFrequency = .annual, end: String? = nil,
    issued: CivilDate? = nil
  ) -> PolicyFact {
    PolicyFact(
      policyID: "p", outcome: outcome, issueDate: issued ?? self.issued, endDate: end.map(day), frequency: frequency)
  }

  @Test func theSecondYearIsMeasuredAgainstTheFirst() {
    var figure = PremiumPersistency(months: [13, 25], rules: ReportingRules())
    func add(_ fact: PolicyFact, _ premiums: PremiumFact...) { figure.add(fact, premiums: premiums, today: today) }
    // 1,000 of 1,000: came on the last day of grace.
    add(policy(), paid("2025-03-10", 1_000, on: "2025-03-10"), paid("2026-03-10", 1_000, on: "2026-05-09"))
    // 0 of 2,000: came a day later.
    add(policy(), paid("2025-03-10", 2_000, on: "2025-03-10"), paid("2026-03-10", 2_000, on: "2026-05-10"))
    // 0 of 500: lent by the insurer.
    add(policy(), paid("2025-03-10", 500, on: "2025-03-10"), paid("2026-03-10", 500, on: "2026-03-10", loan: true))
    // 1,200 of 1,200: monthly, the thirteenth month was paid and the fourteenth was not.
    add(
      policy(.inForce, .monthly), paid("2025-03-10", 100, on: "2025-03-10"), paid("2025-04-10", 100, on: "2025-04-10"),
      paid("2026-03-10", 100, on: "2026-03-12"), paid("2026-04-10", 100, on: nil))
    // 0 of 800: surrendered, so nothing was due any more.
    add(policy(.ended(.surrender), end: "2025-08-01"), paid("2025-03-10", 800, on: "2025-03-10"))
    // Left out: single premium, death, and one whose grace has not ended.
    add(policy(.inForce, .single), paid("2025-03-10", 10_000, on: "2025-03-10"))
    add(policy(.ended(.death), end: "2025-11-01"), paid("2025-03-10", 700, on: "2025-03-10"))
    add(policy(issued: day("2025-05-20")), paid("2025-05-20", 900, on: "2025-05-20"))
    // Left out: nothing is known of its instalments.
    add(policy())
    #expect(figure.shares.first == Share(part: 220_000, whole: 550_000))
    #expect(figure.shares.first?.decimal() == "0.400000")
    #expect(figure.policies == [5, 0])
    #expect(figure.shares.last?.decimal() == nil)
  }

  @Test func aMeasureWaitsForTheGraceOfTheLastInstalmentOfTheMonth() {
    let premiums = [paid("2025-03-10", 100, on: "2025-03-10"), paid("2026-04-01", 100, on: "2026-05-30")]
    for (asOf, expected) in [("2026-05-30", Share()), ("2026-05-31", Share(part: 10_000, whole: 10_000))] {
      var figure = PremiumPersistency(months: [13], rules: ReportingRules())
      figure.add(policy(), premiums: premiums, today: day(asOf))
      #expect(figure.shares == [expected])
    }
  }

  @Test func aDeathAfterTheMeasureCountsAsItStoodThen() {
    var figure = PremiumPersistency(months: [13], rules: ReportingRules())
    figure.add(
      policy(.ended(.death), end: "2026-05-20"),
      premiums: [paid("2025-03-10", 700, on: "2025-03-10"), paid("2026-03-10", 700, on: "2026-03-10")], today: today)
    #expect(figure.shares == [Share(part: 70_000, whole: 70_000)])
  }

  @Test func onlyTheBeginningsOfPolicyYearsAreMeasured() {
    #expect([13, 25, 37, 49, 61].allSatisfy(PremiumPersistency.measures))
    #expect(![0, 1, 12, 14, 24].contains(where: PremiumPersistency.measures))
  }
}

@Suite struct KeyFigureTests {
  @Test func figuresArePerCustomerWithAPolicy() {
    var figures = KeyFigures()
    for (customer, amount) in [("a", 100), ("a", 50), ("b", 30), ("c", nil)] as [(String, Int64?)] {
      figures.add(
        PolicyFact(
          policyID: "p", customerID: customer, outcome: .inForce, issueDate: today, annualPremium: amount.map(yuan)))
    }
    #expect((figures.customers, figures.policies, figures.withoutPremium) == (3, 4, 1))
    #expect(figures.premium == ["CNY": 18_000])
    #expect(figures.addOnRate == Share(part: 1, whole: 3))
    #expect(figures.policiesPerHead.decimal(2) == "1.33")
    #expect(figures.premiumPerHead("CNY").decimal(2) == "6000.00")
  }
}
