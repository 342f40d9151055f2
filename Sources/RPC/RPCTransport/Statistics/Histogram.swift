/// How often a figure fell between fixed bounds. The bounds are those of gRPC's OpenTelemetry metrics (gRFC A66).
public struct Histogram: Sendable, Equatable {
  /// Upper bounds for durations, in seconds.
  public static let secondsBounds: [Double] = [
    0, 0.00001, 0.00005, 0.0001, 0.0003, 0.0006, 0.0008, 0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.008, 0.01, 0.013,
    0.016, 0.02, 0.025, 0.03, 0.04, 0.05, 0.065, 0.08, 0.1, 0.13, 0.16, 0.2, 0.25, 0.3, 0.4, 0.5, 0.65, 0.8, 1, 2, 5,
    10,
    20, 50, 100,
  ]
  /// Upper bounds for sizes, in bytes.
  public static let bytesBounds: [Double] = [
    0, 1_024, 2_048, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216, 67_108_864, 268_435_456,
    1_073_741_824, 4_294_967_296,
  ]

  /// Upper bounds, rising; a figure that equals one is within it.
  public let bounds: [Double]
  /// How many figures are within each bound and above the one before; the last is for those above all.
  public private(set) var counts: [Int]
  /// Of all figures.
  public private(set) var sum = 0.0

  /// Nothing yet.
  public init(bounds: [Double]) {
    self.bounds = bounds
    counts = [Int](repeating: 0, count: bounds.count + 1)
  }

  /// How many figures there are.
  public var count: Int { counts.reduce(0, +) }

  /// Takes a figure.
  public mutating func record(_ figure: Double) {
    var (low, high) = (0, bounds.count)
    while low < high {
      let middle = (low + high) / 2
      if figure <= bounds[middle] { high = middle } else { low = middle + 1 }
    }
    counts[low] += 1
    sum += figure
  }

  /// Adds another one with the same bounds.
  public static func += (total: inout Histogram, other: Histogram) {
    for index in total.counts.indices where index < other.counts.count { total.counts[index] += other.counts[index] }
    total.sum += other.sum
  }
}
