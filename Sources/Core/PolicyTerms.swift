/// Through whom a product is sold; the numbers are those of mainstay.customer.v1.Channel and mainstay.partner.v1.SaleChannel.
public enum SaleChannel: Int, Sendable, CaseIterable {
  /// 个险
  case individualAgent = 1
  /// 经代
  case intermediary = 2
  /// 银保
  case bancassurance = 3
  /// 网销
  case online = 4
  /// 电销
  case telesales = 5
  /// 团险
  case group = 6
}

/// How often a premium is due; the numbers are those of mainstay.customer.v1.
public enum PremiumFrequency: Int, Sendable {
  /// Once.
  case single = 1
  /// Once a year.
  case annual = 2
  /// Twice a year.
  case halfYearly = 3
  /// Four times a year.
  case quarterly = 4
  /// Twelve times a year.
  case monthly = 5
  /// More often than yearly, not known how often.
  case infraAnnual = 6
  /// Less often than yearly or irregular.
  case other = 7
}

/// Why a contract ended; the numbers are those of mainstay.customer.v1.
public enum EndCause: Int, CaseIterable, Sendable {
  /// 退保
  case surrender = 1
  /// Of the insured.
  case death = 2
  /// 满期
  case maturity = 3
  /// End of the term without a benefit.
  case expiry = 4
  /// 失效: premium unpaid, and not reinstated in time.
  case lapse = 5
  /// Any other.
  case other = 6
}
