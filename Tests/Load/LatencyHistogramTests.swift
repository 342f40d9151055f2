import Core
import Testing

@testable import mainstay_load

@Suite("Latencies")
struct LatencyHistogramTests {
  @Test("A share's latency is that of the sorted list, to three digits")
  func sharesAreThoseOfTheList() {
    var random = SeededGenerator(seed: 7)
    var histogram = LatencyHistogram()
    var list: [UInt64] = []
    for _ in 0..<20_000 {
      let latency = UInt64.random(in: 0..<(1 << UInt64.random(in: 1...40, using: &random)), using: &random)
      histogram.add(latency)
      list.append(latency)
    }
    list.sort()
    for share in [0.0001, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1] {
      let exact = list[max(0, Int((share * Double(list.count)).rounded(.up)) - 1)]
      let found = histogram.value(atShare: share)
      #expect(found >= exact)
      #expect(Double(found) <= Double(exact) * 1.001 + 1, "\(share): \(found) for \(exact)")
    }
    #expect(histogram.total == list.count)
    #expect(histogram.minimum == list.first && histogram.maximum == list.last)
  }

  @Test("Two histograms together are the histogram of both")
  func joined() {
    var random = SeededGenerator(seed: 8)
    var (one, two, both) = (LatencyHistogram(), LatencyHistogram(), LatencyHistogram())
    for index in 0..<1_000 {
      let latency = UInt64.random(in: 0...5_000_000, using: &random)
      if index % 3 == 0 { one.add(latency) } else { two.add(latency) }
      both.add(latency)
    }
    one.add(contentsOf: two)
    #expect(one.distributionText() == both.distributionText())
    #expect(one.mean == both.mean)
  }

  @Test("What lies beyond an hour counts as an hour, and no call as nothing")
  func ends() {
    var histogram = LatencyHistogram()
    #expect(histogram.value(atShare: 0.99) == 0)
    histogram.add(.max)
    #expect(histogram.value(atShare: 0.5) == LatencyHistogram.maximumNanoseconds)
  }

  @Test("The distribution ends with all calls")
  func distribution() throws {
    var histogram = LatencyHistogram()
    for latency in 1...1_000 { histogram.add(UInt64(latency) * 1_000_000) }
    let lines = histogram.distributionText().split(separator: "\n").map { $0.split(separator: " ") }
    let half = try #require(lines.first { $0.count == 4 && $0[1] == "0.500000000000" })
    #expect(Double(half[0]).map { (499.9...500.5).contains($0) } == true)
    let last = try #require(lines.last { $0.count == 3 })
    #expect(last[1] == "1.000000000000" && last[2] == "1000")
  }
}
