import CSQLite

/// Prepared statements of one connection by their text; the one that was not used for longest makes room.
struct StatementCache {
  private struct Entry {
    let handle: OpaquePointer
    var lastUse: UInt64
  }

  private var entries: [String: Entry] = [:]
  private var uses: UInt64 = 0
  private let limit: Int

  init(limit: Int) { self.limit = max(limit, 1) }

  var count: Int { entries.count }

  /// The statement for a text, from `prepare` if it is not there.
  mutating func handle(for sql: String, prepare: () throws -> OpaquePointer) throws -> OpaquePointer {
    uses += 1
    if let index = entries.index(forKey: sql) {
      entries.values[index].lastUse = uses
      return entries.values[index].handle
    }
    let handle = try prepare()
    if entries.count >= limit, let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse }) {
      sqlite3_finalize(oldest.value.handle)
      entries.removeValue(forKey: oldest.key)
    }
    entries[sql] = Entry(handle: handle, lastUse: uses)
    return handle
  }

  /// Finalises all, before the connection is closed.
  mutating func removeAll() {
    for entry in entries.values { sqlite3_finalize(entry.handle) }
    entries = [:]
  }
}
