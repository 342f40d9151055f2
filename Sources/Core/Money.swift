/// An amount in whole minor units of a currency; never floating point.
public struct Money: Hashable, Sendable {
  /// Minor units: fen, cents.
  public let minorUnits: Int64
  /// ISO 4217 code, three capital letters.
  public let currencyCode: String

  /// An amount, or nil if the currency is not three capital letters.
  public init?(minorUnits: Int64, currencyCode: String) {
    guard currencyCode.utf8.count == 3, currencyCode.utf8.allSatisfy({ (65...90).contains($0) }) else { return nil }
    self.minorUnits = minorUnits
    self.currencyCode = currencyCode
  }

  /// Nothing, in yuan.
  public static let zeroYuan = Money(minorUnits: 0, checkedCurrencyCode: "CNY")

  private init(minorUnits: Int64, checkedCurrencyCode: String) {
    (self.minorUnits, currencyCode) = (minorUnits, checkedCurrencyCode)
  }
}
