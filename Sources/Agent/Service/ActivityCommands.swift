import API
import AgentDomain
import Core
import RPCCore
import Storage
import UseCases

/// Records what agents did.
struct ActivityCommands: Sendable {
  /// Most activities of one request.
  static let maximumActivities = 1_000

  let environment: Environment

  private static let rows = RowInsertion(
    into: "activity", columns: ["agent_id", "activity_time", "activity_id", "payload"])

  /// RecordActivities.
  func record(_ request: RecordActivitiesRequest, _ context: ServerContext) async throws -> RecordActivitiesResponse {
    let facts = try read(request.activities)
    let content = RecordActivitiesRequest(activities: facts.map { Activity($0) })
    let identity = try RequestIdentity(request.requestID, content: content, context: context)
    return try await environment.answer(identity) {
      try await checkAgents(facts)
      let recording = environment.recording(context)
      let ids = environment.identifiers(facts.count, of: ActivityID.self)
      let eventIDs = environment.identifiers(facts.count, of: EventID.self)
      var rows = RowBuffer(Self.rows, expect: .unique(orFail: BatchConflict(.alreadyExists, subject: "activity")))
      var events: [OutboxEvent] = []
      events.reserveCapacity(facts.count)
      for (index, fact) in facts.enumerated() {
        let message = Activity(fact)
        rows.append(.id(fact.agentID))
        rows.append(.time(fact.time))
        rows.append(.id(ids[index]))
        rows.append(.blob(try message.serialized()))
        var told = message
        told.activityID = ids[index].description
        told.notes = ""
        events.append(
          try environment.event(
            ActivityRecorded(activity: told), about: told.activityID, version: 1, effective: fact.time, recording,
            id: eventIDs[index]))
      }
      return (
        Batch(rows.statements, events: events), RecordActivitiesResponse(activityIDs: ids.map(\.description))
      )
    }
  }

  /// All activities, if each is right; else every fault of all of them.
  private func read(_ activities: [Activity]) throws(InvalidRecord) -> [ActivityFacts] {
    let (count, maximum) = (activities.count, Self.maximumActivities)
    guard (1...maximum).contains(count) else {
      throw InvalidRecord([Violation("activities", "has \(count) entries; 1 to \(maximum) are expected")])
    }
    let now = environment.clock.now()
    var violations: [Violation] = []
    var facts: [ActivityFacts] = []
    facts.reserveCapacity(count)
    for (index, activity) in activities.enumerated() {
      var faults = ViolationList()
      let fact = ActivityFacts(activity, faults: &faults)
      fact.validate(now: now, into: &faults)
      facts.append(fact)
      if !faults.violations.isEmpty {
        violations += InvalidRecord(faults.violations).inside("activities[\(index)]").violations
      }
    }
    if !violations.isEmpty { throw InvalidRecord(violations) }
    return facts
  }

  /// Fails with every activity whose agent is not there.
  private func checkAgents(_ activities: [ActivityFacts]) async throws {
    let known = try await AgentRepository(database: environment.database).existing(Set(activities.map(\.agentID)))
    var faults = ViolationList()
    for (index, activity) in activities.enumerated() where !known.contains(activity.agentID) {
      faults.add("activities[\(index)].agent_id", "there is no agent with this id")
    }
    try faults.throwIfAny()
  }
}
