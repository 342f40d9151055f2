import Core

/// A visit, call or invitation (活动量), without its id.
public struct ActivityFacts: Hashable, Sendable {
  /// Whose.
  public let agentID: AgentID
  /// The party it concerns, if known.
  public let partyID: PartyID?
  /// What was done.
  public let kind: ActivityKind
  /// What came of it; nil if not known.
  public let outcome: ActivityOutcome?
  /// When it happened.
  public let time: Timestamp
  /// 0 to 1,440; 0 is not known.
  public let durationMinutes: Int
  /// At most 1,024 characters. Personal.
  public let notes: String

  /// How far an activity may seem to lie in the future, in microseconds: clocks of phones differ.
  public static let clockToleranceMicroseconds: Int64 = 60_000_000
  /// Longest duration: a day.
  public static let maximumDurationMinutes = 1_440

  /// An activity as it came from outside; `validate` says whether it may be kept.
  public init(
    agentID: AgentID, partyID: PartyID? = nil, kind: ActivityKind, outcome: ActivityOutcome? = nil, time: Timestamp,
    durationMinutes: Int = 0, notes: String = ""
  ) {
    self.agentID = agentID
    self.partyID = partyID
    self.kind = kind
    self.outcome = outcome
    self.time = time
    self.durationMinutes = durationMinutes
    self.notes = notes
  }

  /// Notes every limit that the activity breaks at this time.
  public func validate(now: Timestamp, into faults: inout ViolationList) {
    let latest = now.microsecondsSinceEpoch + ActivityFacts.clockToleranceMicroseconds
    if time.microsecondsSinceEpoch > latest { faults.add("activity_time", "lies in the future") }
    if !(0...ActivityFacts.maximumDurationMinutes).contains(durationMinutes) {
      faults.add("duration_minutes", "must be 0 to \(ActivityFacts.maximumDurationMinutes)")
    }
    faults.check(notes, length: 0...1_024, "notes")
  }
}

/// What an agent did; the numbers are the proto's.
public enum ActivityKind: Int, Sendable {
  /// Face to face.
  case visit = 1
  /// By phone.
  case call = 2
  /// To a salon or an event.
  case invitation = 3
}

/// What came of an activity; the numbers are the proto's.
public enum ActivityOutcome: Int, Sendable {
  /// Nobody there.
  case noAnswer = 1
  /// No interest.
  case refused = 2
  /// To be continued.
  case followUp = 3
  /// A plan was handed over.
  case proposal = 4
  /// A policy was applied for.
  case sold = 5
}
