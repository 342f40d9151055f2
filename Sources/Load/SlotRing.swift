import Core

/// Free slots, taken in the order in which they became free. Holds at most as many as it was made with.
struct SlotRing {
  private var slots: [LoadSlot]
  private var head = 0
  private var count: Int

  init(_ slots: [LoadSlot] = []) {
    self.slots = slots
    count = slots.count
  }

  mutating func take() -> LoadSlot? {
    guard count > 0 else { return nil }
    defer {
      head = head + 1 == slots.count ? 0 : head + 1
      count -= 1
    }
    return slots[head]
  }

  mutating func add(_ slot: LoadSlot) {
    guard count < slots.count else { return }
    let end = head + count
    slots[end < slots.count ? end : end - slots.count] = slot
    count += 1
  }
}

/// Picks an index in proportion to its weight.
struct WeightedChoice: Sendable {
  private let sums: [UInt64]

  init(_ weights: [Int]) {
    var sum: UInt64 = 0
    sums = weights.map {
      sum += UInt64(max(0, $0))
      return sum
    }
  }

  func pick(_ random: inout SeededGenerator) -> Int {
    guard sums.count > 1, let total = sums.last, total > 0 else { return 0 }
    let point = UInt64.random(in: 0..<total, using: &random)
    return sums.firstIndex { point < $0 } ?? 0
  }
}
