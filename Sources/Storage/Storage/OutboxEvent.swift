import Core

/// Something that happened, to be committed with the rows it speaks of.
public struct OutboxEvent: Hashable, Sendable {
  /// evt_…, unique for ever.
  public var eventID: String
  /// The log it goes to; 0 as long as a service has one.
  public var partition: Int64
  /// What it happened to.
  public var aggregateID: String
  /// 1 for the aggregate's first event, then without a gap.
  public var aggregateVersion: Int64
  /// Full name of the payload's message.
  public var type: String
  /// When it is true from, in the business's time.
  public var effectiveTime: Timestamp
  /// When the service recorded it.
  public var recordedTime: Timestamp
  /// Who caused it.
  public var actor: String
  /// The encoded message.
  public var payload: [UInt8]
  /// Which call it came with, for the audit log; not kept with the event.
  public var origin: ChangeOrigin

  /// An event.
  public init(
    eventID: String, partition: Int64 = 0, aggregateID: String, aggregateVersion: Int64, type: String,
    effectiveTime: Timestamp, recordedTime: Timestamp, actor: String, payload: [UInt8],
    origin: ChangeOrigin = ChangeOrigin()
  ) {
    self.eventID = eventID
    self.partition = partition
    self.aggregateID = aggregateID
    self.aggregateVersion = aggregateVersion
    self.type = type
    self.effectiveTime = effectiveTime
    self.recordedTime = recordedTime
    self.actor = actor
    self.payload = payload
    self.origin = origin
  }

  /// Its row, without a position: the sequencer gives that. A version that is there means that somebody else was
  /// faster with the same aggregate.
  var insertion: Statement {
    Statement(
      """
      INSERT INTO event (event_id, partition, aggregate_id, aggregate_version, type, effective_time, recorded_time,
        actor, payload) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
      """,
      [
        .text(eventID), .integer(partition), .text(aggregateID), .integer(aggregateVersion), .text(type),
        .time(effectiveTime), .time(recordedTime), .text(actor), .blob(payload),
      ],
      expect: .unique(orFail: BatchConflict(.versionMismatch, subject: aggregateID)))
  }
}
