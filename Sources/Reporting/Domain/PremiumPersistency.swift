import Core

/// One instalment of a policy's premium.
public struct PremiumFact: Hashable, Sendable {
  /// When it is due.
  public let dueDate: CivilDate
  /// What is due.
  public let due: Money
  /// When it was received; nil as long as it was not.
  public let receivedDate: CivilDate?
  /// What was received, in the currency of `due`.
  public let receivedMinorUnits: Int64
  /// Whether the insurer lent it (自动垫交), which is no payment.
  public let isAutomaticLoan: Bool

  /// An instalment.
  public init(
    dueDate: CivilDate, due: Money, receivedDate: CivilDate? = nil, receivedMinorUnits: Int64 = 0,
    isAutomaticLoan: Bool = false
  ) {
    self.dueDate = dueDate
    self.due = due
    self.receivedDate = receivedDate
    self.receivedMinorUnits = receivedMinorUnits
    self.isAutomaticLoan = isAutomaticLoan
  }
}

/// Legal numbers that figures depend on: settings of the service, to be confirmed by a compliance officer.
public struct ReportingRules: Sendable {
  /// 宽限期: days after the due date within which a premium counts as paid.
  public var graceDays: Int

  /// The rules; 60 days is the default of the insurance law.
  public init(graceDays: Int = 60) { self.graceDays = graceDays }
}

/// Persistency by premium, the Chinese default (R5): what was received by the end of grace of the instalment of month m (13, 25,
/// 37 …) ÷ what the same policies' first instalment was to bring. With 60 days of grace month 13 is thus measured in month 15.
///
/// Left out: policies of whose instalments nothing is known, single premiums, withdrawals in the hesitation period (they are no `PolicyFact`), those who died before the measure,
/// and policies whose grace has not ended yet. An automatic premium loan is no payment. Instalments are taken for a year, so
/// that a policy that pays monthly weighs as much as one that pays the same yearly.
public struct PremiumPersistency: Sendable {
  /// The months, ascending, each a multiple of 12 plus 1.
  public let months: [Int]
  /// For each month: received ÷ due, in minor units for a year.
  public private(set) var shares: [Share]
  /// For each month: policies in the cohort.
  public private(set) var policies: [Int]
  private let rules: ReportingRules

  /// Nothing counted yet.
  public init(months: [Int], rules: ReportingRules) {
    self.months = months
    self.rules = rules
    shares = months.map { _ in Share() }
    policies = months.map { _ in 0 }
  }

  /// Whether the form can measure this month.
  public static func measures(month: Int) -> Bool { month > 12 && month % 12 == 1 }

  /// Counts a policy with its instalments, which are all in one currency.
  public mutating func add(_ policy: PolicyFact, premiums: [PremiumFact], today: CivilDate) {
    guard policy.frequency != .single, let first = cohortPremium(policy, premiums) else { return }
    let perYear = policy.frequency?.instalmentsPerYear ?? 1
    for (index, month) in months.enumerated() {
      let measuredPremiums = premiums.filter { Self.month(of: $0, policy) == month }
      // The grace of the last of them: a measure that is taken before would change with what comes in later.
      let dueDate = measuredPremiums.map(\.dueDate).reduce(policy.issueDate.addingMonths(month - 1), max)
      let measured = CivilDate(daysSinceEpoch: dueDate.daysSinceEpoch + rules.graceDays)
      guard measured <= min(policy.observedUntil ?? today, today), !hasDied(policy, by: measured) else { continue }
      let received = measuredPremiums.reduce(Int64(0)) { clamped($0, plus: paid($1)) }
      shares[index].add(part: yearly(received, perYear), whole: yearly(first, perYear))
      policies[index] += 1
    }
  }

  /// What the first instalment was to bring: from the instalments, else from the policy.
  private func cohortPremium(_ policy: PolicyFact, _ premiums: [PremiumFact]) -> Int64? {
    guard !premiums.isEmpty else { return nil }
    let first = premiums.filter { Self.month(of: $0, policy) == 1 }
    if !first.isEmpty { return first.reduce(0) { clamped($0, plus: $1.due.minorUnits) } }
    return policy.annualPremium.map { $0.minorUnits / (policy.frequency?.instalmentsPerYear ?? 1) }
  }

  /// What of an instalment counts: money of the customer that came within grace.
  private func paid(_ premium: PremiumFact) -> Int64 {
    guard let received = premium.receivedDate, !premium.isAutomaticLoan,
      received.daysSinceEpoch <= premium.dueDate.daysSinceEpoch + rules.graceDays
    else { return 0 }
    return min(premium.receivedMinorUnits, premium.due.minorUnits)
  }

  private func hasDied(_ policy: PolicyFact, by day: CivilDate) -> Bool {
    guard policy.outcome == .ended(.death) else { return false }
    return policy.endDate.map { $0 <= day } ?? true
  }

  private func yearly(_ amount: Int64, _ perYear: Int64) -> Int64 {
    let (product, overflow) = amount.multipliedReportingOverflow(by: perYear)
    return overflow ? .max : product
  }

  /// 1 for an instalment that is due in the month that begins with the issue, and so on.
  private static func month(of premium: PremiumFact, _ policy: PolicyFact) -> Int {
    guard premium.dueDate >= policy.issueDate else { return 1 }
    return Int(PolicyDuration(from: policy.issueDate, to: premium.dueDate).micromonths / PolicyDuration.month) + 1
  }
}
