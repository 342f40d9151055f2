import Core

/// Customers, policies and premium, and how they relate (R1).
public struct KeyFigures: Sendable {
  private var policiesPerCustomer: [String: Int64] = [:]
  /// Policies issued.
  public private(set) var policies: Int64 = 0
  /// Policies whose premium is not known; they are left out of the premium.
  public private(set) var withoutPremium: Int64 = 0
  /// One year's premium of the policies, in minor units by currency.
  public private(set) var premium: [String: Int64] = [:]

  /// Nothing counted yet.
  public init() {}

  /// Counts a policy.
  public mutating func add(_ policy: PolicyFact) {
    policies += 1
    if let customer = policy.customerID { policiesPerCustomer[customer, default: 0] += 1 }
    if let amount = policy.annualPremium {
      premium[amount.currencyCode] = clamped(premium[amount.currencyCode, default: 0], plus: amount.minorUnits)
    } else {
      withoutPremium += 1
    }
  }

  /// Customers with a policy.
  public var customers: Int64 { Int64(policiesPerCustomer.count) }

  /// 件均: policies ÷ customers.
  public var policiesPerHead: Share { Share(part: policiesPerCustomer.values.reduce(0, +), whole: customers) }

  /// Premium of one currency ÷ customers, in minor units.
  public func premiumPerHead(_ currency: String) -> Share { Share(part: premium[currency] ?? 0, whole: customers) }

  /// 加保率: customers with two policies or more ÷ customers.
  public var addOnRate: Share {
    Share(part: Int64(policiesPerCustomer.values.count { $0 >= 2 }), whole: customers)
  }
}
