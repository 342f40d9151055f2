/// A decimal number without rounding: `digits` × 10^-`scale`. For money, which never goes through floating point.
struct ExactDecimal: Equatable, Sendable {
  /// Most digits of a number that is read.
  static let maximumDigits = 18

  let digits: Int128
  let scale: Int

  /// Reads "1234.5", "-3", "+0.75"; nil for anything else.
  init?(_ text: some StringProtocol) {
    var rest = text.utf8[...]
    let isNegative = rest.first == UInt8(ascii: "-")
    if isNegative || rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
    var digits: Int128 = 0
    var count = 0
    var scale: Int?
    for byte in rest {
      if byte == UInt8(ascii: "."), scale == nil {
        scale = 0
        continue
      }
      guard (48...57).contains(byte), count < ExactDecimal.maximumDigits else { return nil }
      digits = digits * 10 + Int128(byte - 48)
      count += 1
      scale = scale.map { $0 + 1 }
    }
    guard count > 0 else { return nil }
    self.digits = isNegative ? -digits : digits
    self.scale = scale ?? 0
  }

  private init(digits: Int128, scale: Int) {
    (self.digits, self.scale) = (digits, scale)
  }

  /// This × factor + offset; nil if that has too many digits.
  func scaled(by factor: ExactDecimal, plus offset: ExactDecimal) -> ExactDecimal? {
    let product = ExactDecimal(digits: digits * factor.digits, scale: scale + factor.scale)
    let common = max(product.scale, offset.scale)
    guard let left = product.digits(atScale: common), let right = offset.digits(atScale: common) else { return nil }
    let (sum, overflow) = left.addingReportingOverflow(right)
    return overflow ? nil : ExactDecimal(digits: sum, scale: common)
  }

  /// In units of 10^-`decimals`, rounded half to even; nil if that does not fit.
  func minorUnits(decimals: Int) -> Int64? {
    guard scale > decimals else { return digits(atScale: decimals).flatMap { Int64(exactly: $0) } }
    var divisor: Int128 = 1
    for _ in 0..<(scale - decimals) { divisor *= 10 }
    let (quotient, remainder) = digits.quotientAndRemainder(dividingBy: divisor)
    let twice = remainder.magnitude * 2
    let roundsAway = twice > divisor.magnitude || (twice == divisor.magnitude && quotient % 2 != 0)
    return Int64(exactly: roundsAway ? quotient + (digits < 0 ? -1 : 1) : quotient)
  }

  /// The same value with more decimals; nil if that overflows.
  private func digits(atScale target: Int) -> Int128? {
    var result = digits
    for _ in 0..<max(0, target - scale) {
      let (next, overflow) = result.multipliedReportingOverflow(by: 10)
      if overflow { return nil }
      result = next
    }
    return result
  }
}
