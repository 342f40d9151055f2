import Core

/// What the demo data draw from. Each record draws from a stream of its own, so that one more draw for a policy does not change
/// all that come after it.
struct DemoRandom {
  private var numbers: SeededGenerator

  /// The stream of one record of one kind.
  init(seed: UInt64, _ stream: String, _ index: Int = 0) {
    var fingerprint = Fingerprint()
    fingerprint.add(stream)
    numbers = SeededGenerator(seed: seed &+ fingerprint.value &+ UInt64(index) &* 0xD1B5_4A32_D192_ED03)
    // Neighbouring indexes begin far apart.
    numbers = SeededGenerator(seed: numbers.next() ^ seed)
  }

  /// 64 bits.
  mutating func next() -> UInt64 { numbers.next() }

  /// 0 to `count` - 1; 0 if there is nothing to choose from.
  mutating func below(_ count: Int) -> Int {
    count <= 1 ? 0 : Int(next().multipliedFullWidth(by: UInt64(count)).high)
  }

  /// A number of the range.
  mutating func between(_ low: Int, _ high: Int) -> Int { low + below(high - low + 1) }

  /// True in so many of a thousand cases.
  mutating func chance(perMille: Int) -> Bool { below(1_000) < perMille }

  /// True in so many of 100,000 cases.
  mutating func chance(per100000: Int) -> Bool { below(100_000) < per100000 }

  /// An index, each as often as its weight says; 0 if there is no weight.
  mutating func index(weights: [Int]) -> Int {
    var rest = below(weights.reduce(0, +))
    for (index, weight) in weights.enumerated() {
      if rest < weight { return index }
      rest -= weight
    }
    return 0
  }

  /// One of a list that is not empty.
  mutating func element<Element>(_ list: [Element]) -> Element { list[below(list.count)] }
}
