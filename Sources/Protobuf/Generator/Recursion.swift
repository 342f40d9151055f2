import Protobuf

/// Which messages hold which, by fields that are not lists: a Swift struct cannot hold itself that way.
struct Recursion {
  private var reachable: [String: Set<String>] = [:]

  init(pool: DescriptorPool) {
    var direct: [String: [String]] = [:]
    for message in pool.messages {
      direct[message.fullName] = message.fields.filter { $0.type == .message && !$0.isRepeated }.map(\.typeName)
    }
    for message in pool.messages {
      var seen: Set<String> = []
      var pending = [message.fullName]
      while let next = pending.popLast() {
        if seen.insert(next).inserted { pending += direct[next] ?? [] }
      }
      reachable[message.fullName] = seen
    }
  }

  /// Whether the first message is the second or holds it, however deep.
  func leads(from first: String, to second: String) -> Bool { reachable[first]?.contains(second) ?? false }
}
