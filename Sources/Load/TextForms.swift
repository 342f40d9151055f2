import Glibc

/// A number with so many digits behind the point.
func decimal(_ value: Double, digits: Int) -> String {
  guard value.isFinite else { return "0" }
  let scale = pow(10, Double(digits))
  let scaled = (abs(value) * scale).rounded()
  guard scaled < 9e18 else { return "\(value)" }
  let (whole, rest) = UInt64(scaled).quotientAndRemainder(dividingBy: UInt64(scale))
  let sign = value < 0 && scaled > 0 ? "-" : ""
  guard digits > 0 else { return "\(sign)\(whole)" }
  let fraction = String(rest)
  return "\(sign)\(whole).\(String(repeating: "0", count: digits - fraction.count))\(fraction)"
}

/// Text with blanks before it, so that columns end in one line.
func padded(_ text: String, _ width: Int) -> String {
  String(repeating: " ", count: max(0, width - text.count)) + text
}

/// Nanoseconds as people read them: "87 µs", "1.24 ms", "3.10 s".
func readable(nanoseconds: UInt64) -> String {
  let value = Double(nanoseconds)
  if value < 1e6 { return "\(decimal(value / 1e3, digits: value < 1e5 ? 1 : 0)) µs" }
  return value < 1e9 ? "\(decimal(value / 1e6, digits: 2)) ms" : "\(decimal(value / 1e9, digits: 2)) s"
}
