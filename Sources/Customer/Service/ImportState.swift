import Storage

/// Records of one source as they stand after some rows of an import: what is in the database, and what the rows have made of it.
struct ImportState<Record, Facts> {
  /// A record that rows have created or changed.
  struct Entry {
    let record: Record
    let facts: Facts
    /// As it is in the database; nil if it is not there.
    let stored: Record?
  }

  /// Rows that made a record.
  private(set) var created: Int64 = 0
  /// Rows that changed one.
  private(set) var updated: Int64 = 0
  /// Rows that said what was known.
  private(set) var unchanged: Int64 = 0
  /// Created and changed records, in the order in which their keys came.
  private(set) var entries: [Entry] = []
  /// What happened, in order.
  private(set) var events: [OutboxEvent] = []
  private var places: [String: Int] = [:]
  private let stored: [String: Record]

  /// Before the first row: what is in the database, by key.
  init(stored: [String: Record]) { self.stored = stored }

  /// How many of so many keys may be new.
  func freshCount(of count: Int) -> Int { max(0, count - stored.count) }

  mutating func reserveCapacity(_ count: Int) {
    entries.reserveCapacity(count)
    events.reserveCapacity(count)
  }

  /// The record with this key as it stands now.
  func record(_ key: String) -> Record? { places[key].map { entries[$0].record } ?? stored[key] }

  /// Its facts, if a row of this import gave them.
  func facts(_ key: String) -> Facts? { places[key].map { entries[$0].facts } }

  /// A row made a record with a key that is not there.
  mutating func create(_ key: String, _ record: Record, _ facts: Facts, _ event: OutboxEvent) {
    places[key] = entries.count
    entries.append(Entry(record: record, facts: facts, stored: nil))
    events.append(event)
    created += 1
  }

  /// A row changed the record with this key.
  mutating func change(_ key: String, _ record: Record, _ facts: Facts, _ event: OutboxEvent) {
    if let place = places[key] {
      entries[place] = Entry(record: record, facts: facts, stored: entries[place].stored)
    } else {
      places[key] = entries.count
      entries.append(Entry(record: record, facts: facts, stored: stored[key]))
    }
    events.append(event)
    updated += 1
  }

  /// A row said what was known.
  mutating func leave() { unchanged += 1 }
}
