import CustomerDomain
import Core

/// What becomes of a policy from its issue to the end of the history, month by month.
struct PolicyCourse {
  /// What the course depends on.
  struct Terms {
    let issueDate: CivilDate
    let frequency: PremiumFrequency
    /// In fen.
    let instalment: Int
    /// Years in which premiums are due.
    let payYears: Int
    /// Years until it ends by itself.
    let termYears: Int?
    let hasCashValue: Bool
    let canBeWaived: Bool
    /// Age of the insured at issue.
    let age: Int
    /// Of a thousand, given back in the hesitation period.
    let cancelled: Int
    /// Unpaid premiums of 100,000 a year: until the first anniversary, the second, later ones.
    let unpaid: [Int]
  }

  /// An instalment without its policy.
  struct Instalment {
    let dueDate: CivilDate
    let receivedDate: CivilDate?
    let isAutomaticLoan: Bool
  }

  private let terms: Terms
  private(set) var state = PolicyState.inForce
  private(set) var endDate: CivilDate?
  private(set) var endCause: EndCause?
  private(set) var instalments: [Instalment] = []
  /// Until when what is due stays unpaid, to be paid on that day.
  private var arrearsUntil: CivilDate?

  init(_ terms: Terms, _ random: inout DemoRandom) {
    self.terms = terms
    guard begins(&random) else { return }
    if terms.payYears == 1 { state = .paidUp }
    for month in 1...DemoPlan.months {
      let day = terms.issueDate.addingMonths(month)
      if endsBefore(day, &random) { return }
      guard day <= DemoTime.asOf else { break }
      if state == .inForce, month % step == 0, !isPaid(day, month, &random) { return }
      if state == .inForce, terms.canBeWaived, random.chance(per100000: DemoPlan.waived) { state = .premiumWaived }
    }
  }

  /// Months between due dates.
  private var step: Int { 12 / terms.frequency.instalments }

  /// Issue, hesitation period. False if that is all.
  private mutating func begins(_ random: inout DemoRandom) -> Bool {
    let sinceIssue = DemoTime.asOf.daysSinceEpoch - terms.issueDate.daysSinceEpoch
    if sinceIssue < 6, random.chance(perMille: 350) {
      state = .proposed
      return false
    }
    instalments.append(Instalment(dueDate: terms.issueDate, receivedDate: terms.issueDate, isAutomaticLoan: false))
    let back = random.between(1, DemoPlan.hesitationDays - 1)
    if random.chance(perMille: terms.cancelled), back <= sinceIssue {
      (state, endDate) = (.cancelled, terms.issueDate.adding(days: back))
      return false
    }
    if sinceIssue < DemoPlan.hesitationDays {
      state = .inHesitation
      return false
    }
    return true
  }

  /// Death, a claim, a surrender without a premium due, or the end of the term, in the month that ends on a day.
  private mutating func endsBefore(_ day: CivilDate, _ random: inout DemoRandom) -> Bool {
    let age = terms.age + (day.year - terms.issueDate.year)
    let deaths = DemoPlan.deaths[age < 40 ? 0 : age < 60 ? 1 : 2]
    // Weeks after the issue, so that the hesitation period is over.
    let some = day.adding(days: -random.below(13))
    if random.chance(per100000: deaths) { return end(.terminated, .death, on: some) }
    if random.chance(per100000: terms.canBeWaived ? DemoPlan.claimed : 1) { return end(.terminated, .other, on: some) }
    if terms.hasCashValue, random.chance(per100000: DemoPlan.surrenderedBetween) {
      return end(.surrendered, .surrender, on: some)
    }
    if let years = terms.termYears, day == terms.issueDate.addingMonths(years * 12) {
      return terms.hasCashValue ? end(.matured, .maturity, on: day) : end(.expired, .expiry, on: day)
    }
    return false
  }

  /// Ends the contract; false if that day is beyond the history.
  private mutating func end(_ state: PolicyState, _ cause: EndCause, on day: CivilDate) -> Bool {
    guard day <= DemoTime.asOf else { return false }
    (self.state, endDate, endCause) = (state, day, cause)
    return true
  }

  /// The premium that is due on a day; false if the course ends with it.
  private mutating func isPaid(_ due: CivilDate, _ month: Int, _ random: inout DemoRandom) -> Bool {
    guard month / 12 < terms.payYears else {
      state = .paidUp
      return true
    }
    if let day = arrearsUntil, day > due {
      instalments.append(Instalment(dueDate: due, receivedDate: day, isAutomaticLoan: false))
      return true
    }
    let yearly = terms.unpaid[min((month - 1) / 12, terms.unpaid.count - 1)]
    if random.chance(per100000: yearly * step / 12) { return isSettledLater(due, &random) }
    let delay = random.chance(perMille: DemoPlan.paidInGrace) ? random.between(6, 50) : random.below(5)
    let isLoan = terms.hasCashValue && month > 12 && random.chance(perMille: DemoPlan.automaticLoans)
    let received = due.adding(days: isLoan ? DemoPlan.graceDays : delay)
    guard received <= DemoTime.asOf else { return leaveUnpaid(due, .grace) }
    instalments.append(Instalment(dueDate: due, receivedDate: received, isAutomaticLoan: isLoan))
    return true
  }

  private mutating func leaveUnpaid(_ due: CivilDate, _ state: PolicyState) -> Bool {
    instalments.append(Instalment(dueDate: due, receivedDate: nil, isAutomaticLoan: false))
    self.state = state
    return false
  }

  /// What becomes of a premium that is not paid when it should be. True if the course goes on.
  private mutating func isSettledLater(_ due: CivilDate, _ random: inout DemoRandom) -> Bool {
    let weights = terms.hasCashValue ? DemoPlan.unpaidWithValue : DemoPlan.unpaidWithoutValue
    let choice = random.index(weights: weights)
    let endOfGrace = due.adding(days: DemoPlan.graceDays)
    let standing: PolicyState = endOfGrace < DemoTime.asOf ? .suspended : .grace
    switch (terms.hasCashValue, choice) {
    case (true, 2), (false, 1):
      let paid = endOfGrace.adding(days: random.between(1, 200))
      guard paid <= DemoTime.asOf else { return leaveUnpaid(due, standing) }
      arrearsUntil = paid
      instalments.append(Instalment(dueDate: due, receivedDate: paid, isAutomaticLoan: false))
      return true
    case (true, 0):
      let day = due.adding(days: random.between(3, 150))
      _ = leaveUnpaid(due, standing)
      _ = end(.surrendered, .surrender, on: day)
    case (true, _):
      _ = leaveUnpaid(due, standing)
      _ = end(.terminated, .lapse, on: endOfGrace.adding(days: DemoPlan.reinstatementDays))
    case (false, _):
      _ = leaveUnpaid(due, standing)
      _ = end(.terminated, .lapse, on: endOfGrace.adding(days: 1))
    }
    return false
  }
}

extension PremiumFrequency {
  /// Instalments of a year.
  var instalments: Int {
    switch self {
    case .halfYearly: 2
    case .quarterly: 4
    case .monthly: 12
    default: 1
    }
  }
}
