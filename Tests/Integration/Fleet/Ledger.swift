import Synchronization

/// What was acknowledged to a driver: how often each aggregate was changed, and what it was given last.
final class Ledger: Sendable {
  struct Content: Sendable {
    /// By the aggregate's id: its creation, and one for each change after it.
    var changes: [String: [String: Int]] = [:]
    /// By the party's id: the phone that it was given last.
    var phones: [String: String] = [:]
    /// Keys of imported parties, by their source.
    var imported: [String: Set<String>] = [:]
    var acknowledged = 0
    var retried = 0
    var repeated = 0
    /// What no write may do: another answer to the same request, a refusal of what is allowed.
    var faults: [String] = []
  }

  private let state = Mutex(Content())

  var content: Content { state.withLock { $0 } }

  func note(_ service: String, _ aggregate: String) {
    state.withLock { state in
      state.changes[service, default: [:]][aggregate, default: 0] += 1
      state.acknowledged += 1
    }
  }

  func notePhone(_ phone: String, of party: String) { state.withLock { $0.phones[party] = phone } }

  func noteImported(_ keys: [String], from source: String) {
    state.withLock { state in
      state.imported[source, default: []].formUnion(keys)
      state.acknowledged += keys.count
    }
  }

  func noteRetry() { state.withLock { $0.retried += 1 } }
  func noteRepetition() { state.withLock { $0.repeated += 1 } }
  func noteFault(_ fault: String) { state.withLock { $0.faults.append(fault) } }
}
