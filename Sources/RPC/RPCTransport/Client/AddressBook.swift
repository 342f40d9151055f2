/// When the addresses of a pool's targets were asked for, and when they may be again. A pure value.
struct AddressBook {
  struct Entry {
    let target: ConnectionTarget
    fileprivate(set) var isResolving = false
    fileprivate(set) var notBefore: UInt64 = 0
    /// When its name is looked up again; never for an address.
    fileprivate var refresh: UInt64 = .max
  }

  private(set) var entries: [Entry]
  private let intervalNanoseconds: UInt64
  /// How long the addresses of a name are taken for right.
  var refreshNanoseconds: UInt64?

  init(_ targets: [ConnectionTarget], interval: Duration, refresh: Duration? = nil) {
    refreshNanoseconds = refresh?.wholeNanoseconds
    entries = []
    intervalNanoseconds = UInt64(max(0, interval / .nanoseconds(1)))
    replace(targets)
  }

  /// Has these targets from now on; of those that it had it knows what it knew. One that is named twice is one.
  mutating func replace(_ targets: [ConnectionTarget]) {
    let known = entries
    entries = []
    for target in targets where !contains(target) {
      entries.append(known.first { $0.target == target } ?? Entry(target: target))
    }
  }

  func contains(_ target: ConnectionTarget) -> Bool { entries.contains { $0.target == target } }

  /// Whether an answer is awaited.
  var isResolving: Bool { entries.contains { $0.isResolving } }

  /// When the next question may be asked; nil while all are being asked.
  var nextResolution: UInt64? { entries.filter { !$0.isResolving }.map(\.notBefore).min() }

  /// When a name is to be looked up again though its addresses are known; nil if none is.
  var nextRefresh: UInt64? {
    entries.filter { !$0.isResolving && $0.refresh < .max }.map { max($0.notBefore, $0.refresh) }.min()
  }

  /// Whether its name is to be looked up again.
  func isStale(_ index: Int, at now: UInt64) -> Bool { now >= entries[index].refresh }

  /// A connection was lost, or could not be made: the name may stand for others by now.
  mutating func doubt(_ target: ConnectionTarget, at now: UInt64) {
    guard let index = entries.firstIndex(where: { $0.target == target }), entries[index].refresh < .max else { return }
    entries[index].refresh = min(entries[index].refresh, now)
  }

  /// Whether the question may be asked now; it counts as asked then.
  mutating func beginResolution(of index: Int, at now: UInt64) -> Bool {
    guard !entries[index].isResolving, now >= entries[index].notBefore else { return false }
    entries[index].isResolving = true
    return true
  }

  /// The answer has come.
  mutating func endResolution(of target: ConnectionTarget, isName: Bool, at now: UInt64) {
    guard let index = entries.firstIndex(where: { $0.target == target }) else { return }
    entries[index].isResolving = false
    entries[index].notBefore = now &+ intervalNanoseconds
    entries[index].refresh = isName ? refreshNanoseconds.map { now &+ $0 } ?? .max : .max
  }
}
