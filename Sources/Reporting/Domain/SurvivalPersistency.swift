import Core

/// Persistency in the survival form (R5): of what can be judged at month m, the share that had not ended by then. All causes of
/// end count. A policy in force that was not observed until m cannot be judged; nor can one whose month m lies behind the day
/// up to which its source has told of it, or behind today, even if it has ended: those of its cohort that have not ended are not
/// in the figure either. What is too young has no figure.
public struct SurvivalPersistency: Sendable {
  /// The months, ascending.
  public let months: [Int]
  /// For each month: what stood ÷ what can be judged.
  public private(set) var shares: [Share]
  /// Policies whose duration nobody knows.
  public private(set) var unknown = 0

  /// Nothing counted yet.
  public init(months: [Int]) {
    self.months = months
    shares = months.map { _ in Share() }
  }

  /// Counts a policy with a weight: 1, or its premium.
  public mutating func add(_ policy: PolicyFact, weight: Int64, today: CivilDate) {
    guard let duration = policy.duration(today: today) else {
      unknown += 1
      return
    }
    let lastSeen = min(policy.observedUntil ?? today, today)
    for (index, month) in months.enumerated() {
      let stood = duration >= PolicyDuration(months: month)
      let isOldEnough = policy.issueDate.addingMonths(month) <= lastSeen
      if stood || policy.hasEnded && isOldEnough { shares[index].add(part: stood ? weight : 0, whole: weight) }
    }
  }
}
