/// A share of whole numbers, kept as the two of them.
public struct Share: Hashable, Sendable {
  /// What is counted.
  public private(set) var part: Int64
  /// What it is a share of.
  public private(set) var whole: Int64

  /// A share; nothing of nothing without arguments. Both are held within the range of Int64.
  public init(part: Int64 = 0, whole: Int64 = 0) { (self.part, self.whole) = (part, whole) }

  /// Adds to both.
  mutating func add(part: Int64, whole: Int64) {
    self.part = clamped(self.part, plus: part)
    self.whole = clamped(self.whole, plus: whole)
  }

  /// As a decimal number with so many decimals, 0 to 9, rounded half to even without floating point; nil of nothing.
  public func decimal(_ decimals: Int = 6) -> String? {
    guard whole > 0 else { return nil }
    var factor: Int128 = 1
    for _ in 0..<min(max(decimals, 0), 9) { factor *= 10 }
    let (quotient, remainder) = (Int128(part) * factor).quotientAndRemainder(dividingBy: Int128(whole))
    let twice = remainder.magnitude * 2
    let isUp = twice > whole.magnitude || (twice == UInt128(whole.magnitude) && quotient % 2 != 0)
    let rounded = isUp ? quotient + (part < 0 ? -1 : 1) : quotient
    guard decimals > 0 else { return "\(rounded)" }
    let digits = String(rounded.magnitude)
    let padded = String(repeating: "0", count: max(0, decimals + 1 - digits.utf8.count)) + digits
    return (rounded < 0 ? "-" : "") + padded.dropLast(decimals) + "." + padded.suffix(decimals)
  }
}

/// A sum that stays at the largest number instead of going over it: no amounts of real policies come near.
func clamped(_ left: Int64, plus right: Int64) -> Int64 {
  let (sum, overflow) = left.addingReportingOverflow(right)
  return overflow ? (right > 0 ? .max : .min) : sum
}
