import RPCCore

extension Session {
  /// All pages of a list.
  func all<Row: Sendable>(
    _ page: @escaping @Sendable (String) async throws -> ([Row], String)
  ) async throws -> [Row] {
    var rows: [Row] = []
    var token = ""
    repeat {
      let wanted = token
      let (some, next) = try await persistently { try await page(wanted) }
      rows += some
      token = next
    } while !token.isEmpty
    return rows
  }

  /// Does this for each item, `DemoLoad.parallelCalls` at once; the results are in the order of the items.
  func each<Item: Sendable, Value: Sendable>(
    _ items: [Item], _ body: @escaping @Sendable (Item) async throws -> Value
  ) async throws -> [Value] {
    let session = self
    return try await withThrowingTaskGroup(of: (Int, Value).self) { group in
      var values = [Value?](repeating: nil, count: items.count)
      for (index, item) in items.enumerated() {
        if index >= DemoLoad.parallelCalls, let (done, value) = try await group.next() { values[done] = value }
        group.addTask { (index, try await session.persistently { try await body(item) }) }
      }
      for try await (done, value) in group { values[done] = value }
      return values.compactMap { $0 }
    }
  }

  /// Does it again when the connection broke; it must be safe to repeat.
  func persistently<Value>(_ body: () async throws -> Value) async throws -> Value {
    var failures = 0
    while true {
      do { return try await body() } catch let error as RPCError where ImportLimits.isTransient(error.code) {
        failures += 1
        guard failures < ImportLimits.attempts else { throw error }
        try await loop.sleep(for: ImportLimits.pause * failures)
      }
    }
  }
}
