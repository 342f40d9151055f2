import Core
import Testing

@Suite struct TokenBucketTests {
  private static let second: UInt64 = 1_000_000_000

  @Test func aBurstIsTakenAtOnceAndThenTokensComeAtTheirRate() {
    var bucket = TokenBucket()
    let rate = Rate(perSecond: 4, burst: 3)
    let begin = 7 * TokenBucketTests.second
    for _ in 0..<3 { #expect(bucket.take(rate, at: begin) == nil) }
    #expect(bucket.take(rate, at: begin) == 250_000_000)
    #expect(bucket.take(rate, at: begin + 100_000_000) == 150_000_000)
    #expect(bucket.take(rate, at: begin + 250_000_000) == nil)
    #expect(bucket.take(rate, at: begin + 250_000_000) == 250_000_000)
  }

  @Test func theLongRunGivesTheRateAndTheBurstWhateverIsAskedFor() {
    var bucket = TokenBucket()
    let rate = Rate(perSecond: 50, burst: 20)
    var taken = 0
    for step in 0..<10_000 where bucket.take(rate, at: 1_000 + UInt64(step) * 1_000_000) == nil { taken += 1 }
    // Ten seconds at 50 a second, and the burst that was there at the begin.
    #expect((519...520).contains(taken))
  }

  @Test func aPauseFillsTheBucketAndNoMore() {
    var bucket = TokenBucket()
    let rate = Rate(perSecond: 1, burst: 2)
    #expect(bucket.take(rate, at: 0) == nil)
    let later = 1_000 * TokenBucketTests.second
    #expect(bucket.take(rate, at: later) == nil)
    #expect(bucket.take(rate, at: later) == nil)
    #expect(bucket.take(rate, at: later) == TokenBucketTests.second)
  }

  @Test func anotherRateHoldsAtOnce() {
    var bucket = TokenBucket()
    #expect(bucket.take(Rate(perSecond: 1, burst: 1), at: 0) == nil)
    #expect(bucket.take(Rate(perSecond: 1, burst: 1), at: 0) != nil)
    #expect(bucket.take(Rate(perSecond: 1_000, burst: 2_000), at: 0) == nil)
  }
}

@Suite struct RecentlyUsedTests {
  @Test func theEntryThatWasUnusedForLongestGoes() {
    var table = RecentlyUsed<String, Int>(capacity: 3)
    for name in ["a", "b", "c"] { table.with(name, make: { 0 }) { $0 += 1 } }
    table.with("a", make: { 0 }) { $0 += 1 }
    table.with("d", make: { 0 }) { $0 += 1 }
    #expect(table.count == 3)
    let counts = ["a", "c", "d"].map { table.with($0, make: { -1 }) { $0 } }
    #expect(counts == [2, 1, 1])
    #expect(table.with("b", make: { -1 }) { $0 } == -1, "b was unused for longest")
  }

  @Test func againstAListInOrderOfUse() {
    var random = SeededGenerator(seed: 11)
    var table = RecentlyUsed<Int, Int>(capacity: 8)
    var list: [(key: Int, value: Int)] = []
    for step in 0..<5_000 {
      let key = Int.random(in: 0..<14, using: &random)
      let value = table.with(key, make: { step }) { $0 }
      let place = list.firstIndex { $0.key == key }
      let expected: (key: Int, value: Int) = place.map { list.remove(at: $0) } ?? (key, step)
      list.append(expected)
      if list.count > 8 { list.removeFirst() }
      #expect(value == expected.value)
    }
    #expect(table.count == 8)
  }

  @Test func linesBeyondTheAllowanceAreCountedForTheNextOne() {
    var lines = LineAllowance(burst: 2, secondsPerLine: 10)
    #expect((0..<4).map { lines.take(at: $0) } == [0, 0, nil, nil])
    #expect(lines.take(at: 9_000_000_000) == nil)
    #expect(lines.take(at: 11_000_000_000) == 3)
    #expect(lines.take(at: 11_000_000_001) == nil)
  }
}
