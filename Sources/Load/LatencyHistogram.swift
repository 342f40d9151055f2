/// How often each latency was seen, in nanoseconds, with three digits of precision from a nanosecond to an hour: buckets that
/// double in width, each cut into 1,024 equal parts (the layout of HdrHistogram). Adding costs one increment.
struct LatencyHistogram: Sendable {
  /// Latencies above this count as this: one hour.
  static let maximumNanoseconds: UInt64 = 3_600_000_000_000
  private static let partsPerBucket = 1_024

  private var counts: [Int]
  /// How many were added.
  private(set) var total = 0
  /// The largest, exactly; 0 if there is none.
  private(set) var maximum: UInt64 = 0
  /// The smallest, exactly; 0 if there is none.
  private(set) var minimum: UInt64 = 0
  private var sum: Double = 0

  /// Nothing seen yet.
  init() {
    counts = [Int](repeating: 0, count: LatencyHistogram.index(of: LatencyHistogram.maximumNanoseconds) + 1)
  }

  /// Adds one.
  mutating func add(_ nanoseconds: UInt64) {
    let value = min(nanoseconds, LatencyHistogram.maximumNanoseconds)
    counts[LatencyHistogram.index(of: value)] += 1
    minimum = total == 0 ? value : min(minimum, value)
    maximum = max(maximum, value)
    sum += Double(value)
    total += 1
  }

  /// Adds all of another one.
  mutating func add(contentsOf other: LatencyHistogram) {
    guard other.total > 0 else { return }
    for index in counts.indices { counts[index] += other.counts[index] }
    minimum = total == 0 ? other.minimum : min(minimum, other.minimum)
    maximum = max(maximum, other.maximum)
    sum += other.sum
    total += other.total
  }

  /// Their mean; 0 if there is none.
  var mean: Double { total == 0 ? 0 : sum / Double(total) }

  /// The latency that this share of the calls (0 to 1) did not exceed, rounded up to the precision; 0 if there is none.
  func value(atShare share: Double) -> UInt64 { level(atShare: share).value }

  /// The same, and how many calls did not exceed it.
  private func level(atShare share: Double) -> (value: UInt64, count: Int) {
    let wanted = max(1, Int((share * Double(total)).rounded(.up)))
    var seen = 0
    for index in counts.indices {
      seen += counts[index]
      if seen >= wanted { return (min(maximum, LatencyHistogram.largest(at: index)), seen) }
    }
    return (maximum, total)
  }

  /// The distribution as HdrHistogram's tools read it (.hgrm): milliseconds, share, calls up to there, 1/(1 − share).
  func distributionText() -> String {
    /// Lines until the distance to 100 % has halved.
    let steps = 5.0
    var text = "       Value     Percentile TotalCount 1/(1-Percentile)\n\n"
    var share = 0.0
    while total > 0 {
      let (value, count) = level(atShare: share)
      let milliseconds = padded(decimal(Double(value) / 1e6, digits: 6), 12)
      let position = "\(decimal(share, digits: 12)) \(padded("\(count)", 10))"
      guard count < total else {
        text += "\(milliseconds) 1.000000000000 \(padded("\(total)", 10))\n"
        break
      }
      text += "\(milliseconds) \(position) \(padded(decimal(1 / (1 - share), digits: 2), 14))\n"
      let halvings = (1 / (1 - share)).exponent + 1
      share += 1 / (steps * Double(1 << halvings))
    }
    return text
      + "#[Mean = \(decimal(mean / 1e6, digits: 6)), Max = \(decimal(Double(maximum) / 1e6, digits: 6)), Total count = \(total)]\n"
  }

  /// Values below 2,048 have a place each; each doubling above takes 1,024 more.
  private static func index(of value: UInt64) -> Int {
    let shift = max(0, 53 - value.leadingZeroBitCount)
    return shift * partsPerBucket + Int(value >> UInt64(shift))
  }

  private static func largest(at index: Int) -> UInt64 {
    let shift = max(0, index / partsPerBucket - 1)
    let part = UInt64(index - shift * partsPerBucket)
    return ((part + 1) << UInt64(shift)) - 1
  }
}
