import API
import Core
import MainstayTesting
import RPCCore
import Testing

/// What must hold of a fleet's data when all writes are acknowledged: asked of the services, of their checks, and of the databases
/// by tools that are not ours.
struct FleetCheck {
  let fleet: Fleet
  let channels: FleetChannels
  let ledger: Ledger
  let readers: [EventReader]

  /// All is numbered, and the subscribers have been given all of it.
  func waitForReaders(_ context: Comment) async throws {
    for reader in readers {
      var told = ""
      let isComplete = try await eventually(within: .seconds(90)) {
        if reader.fault != nil { return true }
        guard let state = try? await state(of: reader.service) else { return false }
        told = "\(state.lastPosition) numbered, \(state.unnumbered) not, \(reader.count) read"
        return state.unnumbered == 0 && Int64(reader.count) >= state.lastPosition
      }
      #expect(isComplete, "\(reader.service): \(told); \(context)")
      #expect(reader.fault == nil, "\(reader.service); \(context)")
    }
  }

  private func state(of service: String) async throws -> EventLogState {
    let channels = channels
    return try await channels.run {
      try await EventLogServiceClient(channel: channels[service]).getEventLog(
        GetEventLogRequest(), options: channels.options(service, timeout: .seconds(20)))
    }
  }

  /// Each party has what it was given last.
  func checkFacts(_ context: Comment) async throws {
    let channels = channels
    for (party, phone) in ledger.content.phones {
      let found = try await channels.run {
        try await CustomerServiceClient(channel: channels["customer"]).getParty(
          GetPartyRequest(partyID: party), options: CallOptions(timeout: .seconds(20), clock: SystemClock()))
      }
      #expect(found.phones == [phone], "\(party); \(context)")
    }
  }

  /// What lies in the databases of a fleet that does not run.
  func checkStored(_ context: Comment) async throws {
    let content = ledger.content
    #expect(content.faults.isEmpty, context)
    for service in fleet.services where service != "reporting" {
      var expected = content.changes[service] ?? [:]
      if service == "customer" { try await addImported(content, to: &expected, context) }
      try await checkEvents(service, expected, context)
    }
    for service in fleet.services {
      for words in [["storage", "check"], ["audit", "verify"]] {
        let result = try await fleet.work(service, words)
        #expect(result.code == 0, "\(service) \(words): \(result.output)\(result.errors); \(context)")
      }
    }
  }

  /// Each key was taken in once; the ids were never told.
  private func addImported(
    _ content: Ledger.Content, to expected: inout [String: Int], _ context: Comment
  ) async throws {
    let rows = try await fleet.rows(
      "customer", "SELECT source, source_key, party_id FROM party WHERE source LIKE '%-import' ORDER BY 1, 2")
    var keys: [String: Set<String>] = [:]
    for row in rows {
      keys[row[0], default: []].insert(row[1])
      expected[row[2]] = 1
    }
    for (source, acknowledged) in content.imported {
      let lost = acknowledged.subtracting(keys[source] ?? [])
      #expect(lost.isEmpty, "\(source) lost \(lost.count) rows; \(context)")
    }
  }

  /// Positions 1 to n, each once, in the order in which the subscriber was given them; of each aggregate as many as there were
  /// changes, and none of any other.
  private func checkEvents(_ service: String, _ expected: [String: Int], _ context: Comment) async throws {
    let positions = try await fleet.rows(
      service,
      "SELECT count(*), count(position), count(DISTINCT position), coalesce(min(position), 1), coalesce(max(position), 0) FROM event"
    )
    let count = try #require(positions.first?.first, "\(service): no answer; \(context)")
    #expect(positions == [[count, count, count, "1", count]], "\(service); \(context)")
    let order = try await fleet.rows(service, "SELECT event_id FROM event ORDER BY position").map { $0[0] }
    if let reader = readers.first(where: { $0.service == service }) {
      let given = reader.ids
      let first = zip(given, order).enumerated().first { $0.element.0 != $0.element.1 }?.offset
      #expect(first == nil, "\(service): the event at \(first.map { "\($0 + 1)" } ?? "") is another one; \(context)")
      #expect(given.count == order.count, "\(service): events that a subscriber was given; \(context)")
    }
    let stored = try await fleet.rows(
      service, "SELECT aggregate_id, count(*), min(aggregate_version), max(aggregate_version) FROM event GROUP BY 1")
    var wrong: [String] = []
    for row in stored {
      let changes = expected[row[0]] ?? 0
      if row[1...] != ["\(changes)", "1", "\(changes)"] { wrong.append("\(row) instead of \(changes)") }
    }
    let known = Set(stored.map { $0[0] })
    let lost = expected.keys.filter { !known.contains($0) }
    #expect(wrong.isEmpty, "\(service): \(wrong.prefix(5)); \(context)")
    #expect(lost.isEmpty, "\(service): \(lost.count) lost, \(lost.prefix(3)); \(context)")
  }
}
