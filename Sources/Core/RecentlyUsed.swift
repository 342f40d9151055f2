/// A table of at most so many entries, from which the one that was unused for longest goes when another one comes. A pure value; each
/// operation takes the same time, however many entries there are.
public struct RecentlyUsed<Key: Hashable & Sendable, Value: Sendable>: Sendable {
  private struct Entry {
    var key: Key
    var value: Value
    /// Places of its neighbours in the order of use.
    var newer: Int
    var older: Int
  }

  private static var none: Int { -1 }

  private let capacity: Int
  private var entries: [Entry] = []
  private var places: [Key: Int] = [:]
  private var newest = none
  private var oldest = none

  /// No entries. At least one can be held.
  public init(capacity: Int) { self.capacity = max(1, capacity) }

  /// How many there are.
  public var count: Int { entries.count }

  /// Does this with the value of a key, which `make` makes if there is none, and which is the last used from now on.
  public mutating func with<Result>(
    _ key: Key, make: () -> Value, _ body: (inout Value) -> Result
  ) -> Result {
    let place = places[key] ?? add(key, make())
    if place != newest {
      unlink(place)
      linkAsNewest(place)
    }
    return body(&entries[place].value)
  }

  private mutating func add(_ key: Key, _ value: Value) -> Int {
    let none = RecentlyUsed.none
    let entry = Entry(key: key, value: value, newer: none, older: none)
    let place: Int
    if entries.count < capacity {
      place = entries.count
      entries.append(entry)
    } else {
      place = oldest
      unlink(place)
      places[entries[place].key] = nil
      entries[place] = entry
    }
    places[key] = place
    linkAsNewest(place)
    return place
  }

  private mutating func unlink(_ place: Int) {
    let (newer, older) = (entries[place].newer, entries[place].older)
    if newer >= 0 { entries[newer].older = older } else { newest = older }
    if older >= 0 { entries[older].newer = newer } else { oldest = newer }
  }

  private mutating func linkAsNewest(_ place: Int) {
    entries[place].newer = RecentlyUsed.none
    entries[place].older = newest
    if newest >= 0 { entries[newest].newer = place } else { oldest = place }
    newest = place
  }
}
