/// How calls are shared out among the addresses of a target.
public enum LoadBalancing: String, Sendable, CaseIterable {
  /// All to the first address that answers.
  case pickFirst = "pick_first"
  /// To each in turn.
  case roundRobin = "round_robin"
  /// To the one with the fewest calls running.
  case leastRequest = "least_request"

  /// Whether it wants a connection to each address, rather than to one.
  var connectsToAll: Bool { self != .pickFirst }
}

/// Chooses among connections that stand. A pure value.
struct Picker {
  private let policy: LoadBalancing
  /// Where the search begins: equals take turns.
  private var next = 0

  init(_ policy: LoadBalancing) { self.policy = policy }

  /// Which of `count` connections takes the next call; `load` says how many calls run on one, nil if it takes none.
  mutating func pick(of count: Int, load: (Int) -> Int?) -> Int? {
    var best: (index: Int, load: Int)?
    for offset in 0..<count {
      let index = policy == .pickFirst ? offset : (next &+ offset) % count
      guard let load = load(index) else { continue }
      if let best, best.load <= load { continue }
      best = (index, load)
      if policy != .leastRequest || load == 0 { break }
    }
    if let best { next = best.index + 1 }
    return best?.index
  }
}
