import API
import AgentDomain
import Core
import UseCases

// Activities between the wire (API) and the rules (AgentDomain).

extension ActivityFacts {
  /// The facts of an activity as it came; notes what has no place in the domain. What stands in for it is never kept.
  init(_ activity: Activity, faults: inout ViolationList) {
    if activity.activityTime == nil { faults.add("activity_time", "is required") }
    self.init(
      agentID: AgentID.required(activity.agentID, "agent_id", faults: &faults),
      partyID: PartyID.read(activity.partyID, "party_id", faults: &faults),
      kind: AgentDomain.ActivityKind.required(activity.kind.rawValue, "kind", standIn: .visit, faults: &faults),
      outcome: AgentDomain.ActivityOutcome.read(activity.outcome.rawValue, "outcome", faults: &faults),
      time: Timestamp.read(activity.activityTime, "activity_time", faults: &faults)
        ?? Timestamp(microsecondsSinceEpoch: 0),
      durationMinutes: Int(activity.durationMinutes), notes: activity.notes)
  }
}

extension Activity {
  /// The facts as a message without its id: what is stored.
  init(_ facts: ActivityFacts) {
    self.init(
      agentID: facts.agentID.description, partyID: facts.partyID?.description ?? "",
      kind: API.ActivityKind(rawValue: Int32(facts.kind.rawValue)),
      outcome: API.ActivityOutcome(rawValue: Int32(facts.outcome?.rawValue ?? 0)),
      activityTime: GoogleTimestamp(facts.time), durationMinutes: Int32(facts.durationMinutes), notes: facts.notes)
  }
}
