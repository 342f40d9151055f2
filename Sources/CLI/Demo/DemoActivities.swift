import API
import Core
import Demo

extension DemoLoad {
  /// Activities have no key: those of some agents are recorded together or not at all, and are there when the first of these
  /// agents has one.
  func loadActivities(_ step: inout DemoStep) async throws {
    let client = AgentServiceClient(channel: session.channel)
    let session = session
    let edition = edition
    let partyIDs = try await partyIDs()
    let batches = activityBatches().enumerated().map { number, batch in
      RecordActivitiesRequest(
        activities: batch.map { activity in
          DemoMessages.activity(
            activity, agentID: agentIDs[data.agents[activity.agent].code] ?? "",
            partyID: activity.party.flatMap { partyIDs[data.parties[$0].sourceKey] } ?? "")
        }, requestID: edition.requestID("activities-\(number)"))
    }
    let recorded = try await session.each(batches) { request -> Bool in
      let agentID = request.activities.first?.agentID ?? ""
      let there = try await client.listActivities(
        ListActivitiesRequest(agentID: agentID, pageSize: 1), options: session.unaryOptions())
      guard there.activities.isEmpty else { return false }
      _ = try await client.recordActivities(request, options: session.unaryOptions())
      return true
    }
    for (batch, isNews) in zip(batches, recorded) {
      if isNews { step.created += batch.activities.count } else { step.unchanged += batch.activities.count }
    }
  }

  /// At most a thousand each, and no agent in two of them.
  private func activityBatches() -> [[DemoActivity]] {
    var batches: [[DemoActivity]] = []
    var rest = data.activities[...]
    var batch: [DemoActivity] = []
    while let first = rest.first {
      let own = rest.prefix { $0.agent == first.agent }
      rest = rest.dropFirst(own.count)
      if !batch.isEmpty, batch.count + own.count > 1_000 {
        batches.append(batch)
        batch = []
      }
      batch += own
    }
    return batch.isEmpty ? batches : batches + [batch]
  }

  /// Ids by source key; keys of different sources begin with different letters.
  private func partyIDs() async throws -> [String: String] {
    let client = CustomerServiceClient(channel: session.channel)
    let session = session
    var ids: [String: String] = [:]
    for source in Set(data.parties.map(\.source)) {
      let memberships = try await session.all { token in
        let reply = try await client.listMemberships(
          ListMembershipsRequest(source: source, pageSize: 10_000, pageToken: token), options: session.unaryOptions())
        return (reply.memberships, reply.nextPageToken)
      }
      for membership in memberships { ids[membership.sourceKey] = membership.partyID }
    }
    return ids
  }
}
