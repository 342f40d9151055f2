import Core

/// One instalment of a policy's premium, as its source tells of it.
public struct PremiumFacts: Hashable, Sendable {
  /// With the policy it identifies the instalment.
  public let dueDate: CivilDate
  /// What is to be paid.
  public let due: Money
  /// What was paid; nil as long as nothing was.
  public let payment: Payment?

  /// A payment of an instalment.
  public struct Payment: Hashable, Sendable {
    /// When it came.
    public let date: CivilDate
    /// In the currency that is due.
    public let amount: Money
    /// Where it came from.
    public let method: PaymentMethod

    /// A payment.
    public init(date: CivilDate, amount: Money, method: PaymentMethod) {
      (self.date, self.amount, self.method) = (date, amount, method)
    }
  }

  /// An instalment as it came from outside; `validate` says whether it may be kept.
  public init(dueDate: CivilDate, due: Money, payment: Payment?) {
    (self.dueDate, self.due, self.payment) = (dueDate, due, payment)
  }

  /// Notes every rule that the instalment breaks.
  public func validate(into faults: inout ViolationList) {
    NoNegativeAmount.check(due, "due", into: &faults)
    NoNegativeAmount.check(payment?.amount, "received", into: &faults)
    if let payment, payment.amount.currencyCode != due.currencyCode {
      faults.add("received.currency_code", "must be the currency of due")
    }
  }

  /// Fails if the instalment is due before its policy was issued.
  public func checkFollows(issueDate: CivilDate) throws(InvalidRecord) {
    var faults = ViolationList()
    NothingBeforeIssue.check(dueDate, "due_date", issueDate: issueDate, into: &faults)
    try faults.throwIfAny()
  }
}

/// How an instalment was paid; the numbers are the proto's.
public enum PaymentMethod: Int, Sendable {
  /// By the customer.
  case cash = 1
  /// 自动垫交: lent by the insurer from the policy's value.
  case automaticLoan = 2
}
